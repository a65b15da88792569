"""Arguments that several commands share, and the requests that are made of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speedpix_pipe.app.request import SpecRequest


def add_spec(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", type=Path, help="the pipeline's YAML file")


def add_params(parser: argparse.ArgumentParser, *, file: bool = True) -> None:
    parser.add_argument(
        "-p",
        dest="params",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a param: text as it is, numbers, booleans, lists and objects as JSON, files as path or pattern; "
        "repeat it for a list",
    )
    if file:
        parser.add_argument("--params-file", metavar="F", type=Path, help="params from a YAML or JSON file")


def add_rev(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rev", metavar="GITREV", help="take the spec from this git revision, all else from disk")


def add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        metavar="SEL",
        action="append",
        default=[],
        help="only this STEP or STEP@KEY, with what it needs and is not cached; may be repeated",
    )
    parser.add_argument(
        "--from",
        dest="start_from",
        metavar="SEL",
        action="append",
        default=[],
        help="this STEP or STEP@KEY and all that follows from it; may be repeated",
    )


def add_local(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--local", action="store_true", help="use the emulator on this machine: no account, no cost")


def add_executor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--executor",
        metavar="NAME",
        choices=("local", "dask"),
        default="local",
        help="where bytes are moved and pixels worked: local (this machine, the default) or dask (docs/dask.md)",
    )
    parser.add_argument(
        "--scheduler", metavar="URL", help="the running Dask scheduler to use, such as tcp://127.0.0.1:8786"
    )


def add_ui(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ui", action="store_true", help="show it in a browser too: a link is printed (extra: ui)")


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON on stdout")


def add_going(parser: argparse.ArgumentParser) -> None:
    """How a run is carried out, whatever it does."""
    parser.add_argument(
        "--concurrency", metavar="N", type=positive, help="predictions in flight, over the spec's limit"
    )
    parser.add_argument(
        "--grace",
        metavar="8s",
        type=duration,
        default=8.0,
        help="how long the first Ctrl-C waits for what is on its way (default: 8s)",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before paying; limits hold all the same")
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="json: an event a line on stderr (default: text)"
    )


def spec_request(args: argparse.Namespace, spec: Path | None = None) -> SpecRequest:
    """What the arguments say about spec and params."""
    from speedpix_pipe.app.request import SpecRequest
    from speedpix_pipe.settings import load_settings
    from speedpix_pipe.spec.params import raw_params

    return SpecRequest(
        spec=spec or args.spec,
        cwd=Path.cwd(),
        settings=load_settings(),
        params=raw_params(args.params),
        params_file=getattr(args, "params_file", None),
        rev=getattr(args, "rev", None),
        check_files=not getattr(args, "no_files", False),
    )


def duration(text: str) -> float:
    """Seconds of `8s`, `1m30s`; argparse names the option."""
    from speedpix_pipe.spec.scalars import parse_duration

    seconds = parse_duration(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f'"{text}" is no duration; write a number and its unit, such as 8s or 1m30s')
    return seconds


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is no whole number from 1 on')
    return int(text)
