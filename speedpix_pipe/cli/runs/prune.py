"""Free space: kept results that were not used for longest, and the history of old runs.

Nothing that an unfinished run needs is removed, no file that a step saved, and no record of what was paid for.
"""

from __future__ import annotations

import argparse
import re
from datetime import timedelta

from speedpix_pipe.cli.options import add_json, duration
from speedpix_pipe.cli.output import plain_ink, print_json
from speedpix_pipe.cli.runs.base import past

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-size", metavar="SIZE", type=_size, default=10 * 2**30, help="what may stay (default: 10GiB)"
    )
    parser.add_argument("--older-than", metavar="30d", type=duration, help="also everything not used for so long")
    add_json(parser, "what was removed")


def run(args: argparse.Namespace) -> int:
    age = timedelta(seconds=args.older_than) if args.older_than is not None else None
    with past(write=True) as store:
        pruned = store.prune(max_bytes=args.max_size, max_age=age)
    if args.json:
        print_json(
            {
                "files": pruned.files,
                "freed_bytes": pruned.freed_bytes,
                "kept_files": pruned.kept_files,
                "kept_bytes": pruned.kept_bytes,
            }
        )
    else:
        from speedpix_pipe.console.base import size

        ink = plain_ink()
        print(ink.say("runs_removed", files=ink.count("file", pruned.files), size=size(pruned.freed_bytes)))
        print(ink.say("runs_kept", files=ink.count("file", pruned.kept_files), size=size(pruned.kept_bytes)))
    return 0


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f'"{text}" is no size; write 500MB or 2GiB')
    return int(float(found[1]) * UNITS[found[2] or ""])
