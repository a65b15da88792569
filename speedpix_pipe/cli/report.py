"""A run as a gallery: one HTML file that needs no network, inputs beside what every step made of them.

The path of the file is the one line on stdout. By default it is .speedpix/reports/RUN.html.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import print_json
from speedpix_pipe.cli.runs.base import add_run, past
from speedpix_pipe.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("-o", dest="target", metavar="FILE", type=Path, help="write it there")
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    add_json(parser, "run and path")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.report import write_report

    target = args.target.absolute() if args.target else None
    with past() as store:
        row = store.journal.run(args.run_id)
        written = write_report(store, row, target, language=load_settings().language)
    if args.json:
        print_json({"run_id": row.id, "path": str(written)})
    else:
        print(written)
    if args.open:
        import webbrowser

        webbrowser.open(written.as_uri())
    return 0
