"""Start a project: a spec that works, a few photos to try it on, and what editors and git need.

Files that exist are never overwritten: they are listed and left alone.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import plain_ink, print_json, program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from speedpix_pipe.app.init import CATALOGUE, DEFAULT

    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=Path(), help="where (default: here)")
    names = "; ".join(f"{name}: {template.summary}" for name, template in CATALOGUE.items())
    parser.add_argument(
        "--template",
        metavar="NAME",
        choices=tuple(CATALOGUE),
        default=DEFAULT,
        help=f"what to start from (default: {DEFAULT}). {names}",
    )
    add_json(parser, "what was written")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.init import init

    project = init(args.folder, args.template)
    moves = project.folder.resolve() != Path.cwd()
    commands = [f"{program(moves=moves)} {command}" for command in project.next]
    if args.json:
        written, kept = ([str(path) for path in paths] for paths in (project.written, project.kept))
        print_json({"folder": str(project.folder), "written": written, "kept": kept, "next": commands})
        return 0
    from speedpix_pipe.console.base import pad, printable

    ink = plain_ink()
    for path in project.written:
        print(f"{pad(ink.say('init_wrote'), 7)}{printable(str(project.folder / path))}")
    for path in project.kept:
        print(f"{pad(ink.say('init_kept'), 7)}{printable(str(project.folder / path))} {ink.say('init_was_there')}")
    print(f"\n{ink.say('init_next')}")
    if moves:
        print(f"  cd {printable(shlex.quote(str(project.folder)))}")
    for command in commands:
        print(f"  {command}")
    return 0
