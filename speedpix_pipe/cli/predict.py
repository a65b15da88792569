"""One call of a workflow, for trying it out.

A value is JSON where it reads as JSON (numbers, true, false, null, lists, objects, quoted text), otherwise text;
@FILE, or a path that begins with ./ ../ / or ~/, is a file that is uploaded. stdout carries the output as JSON, or
with -o the paths of the saved files; with --json one object: prediction_id, output, files. Where the files cannot be
saved, exit 1: stdout has the output all the same, and the object of --json has errors beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedpix_pipe.cli.options import add_json, add_local, duration
from speedpix_pipe.cli.output import print_json, say, terminal
from speedpix_pipe.errors import UsageError
from speedpix_pipe.settings import load_settings

if TYPE_CHECKING:
    from speedpix_pipe.app.predict import NotSavedError, Predicted
    from speedpix_pipe.sdk import Prediction

PATHS = ("./", "../", "/", "~/")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow", metavar="WORKFLOW", help="the workflow's id")
    parser.add_argument(
        "-i",
        dest="inputs",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a field of the input; repeat it for several, and the same name for a list",
    )
    add_local(parser)
    parser.add_argument("--alias", metavar="NAME", help="the alias to call (default: main)")
    parser.add_argument("--version", metavar="ID", help="the version to call")
    parser.add_argument("--timeout", metavar="10m", type=duration, help="how long to wait (default: until it ends)")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="save the files of the output there")
    add_json(parser, "prediction, output and files")


def run(args: argparse.Namespace) -> int:
    given = inputs(args.inputs)
    from speedpix_pipe.app.predict import NotSavedError, PredictRequest, predict

    request = PredictRequest(
        workflow=args.workflow,
        input=given,
        settings=load_settings(Path.cwd()),
        local=args.local,
        alias=args.alias,
        version=args.version,
        timeout_seconds=args.timeout,
        folder=args.folder,
    )
    try:
        made = predict(request, _told if terminal().live else None)
    except NotSavedError as error:
        return _not_saved(error, args)
    if args.json:
        print_json(_shown(made))
    elif args.folder is not None:
        for path in made.files:
            print(path)
    else:
        print(json.dumps(made.output, ensure_ascii=False, indent=2))
    return 0


def _shown(made: Predicted) -> dict[str, Any]:
    files = [str(path) for path in made.files]
    return {"prediction_id": made.prediction_id, "output": made.output, "files": files}


def _not_saved(error: NotSavedError, args: argparse.Namespace) -> int:
    """What was paid for is told all the same: its URLs can be fetched for a while."""
    from speedpix_pipe.cli.failures import show
    from speedpix_pipe.summary import refusal

    show(error)
    if args.json:
        print_json(_shown(error.made) | {"errors": refusal(error).to_json()["errors"]})
    else:
        print(json.dumps(error.made.output, ensure_ascii=False, indent=2))
    return error.exit_code


def _told(prediction: Prediction) -> None:
    progress = f" {prediction.progress:.0%}" if prediction.progress is not None else ""
    say(f"{prediction.id} {prediction.status}{progress}")


def inputs(texts: list[str]) -> dict[str, Any]:
    """The input that NAME=VALUE texts mean."""
    found: dict[str, Any] = {}
    several: set[str] = set()
    for text in texts:
        name, equals, written = text.partition("=")
        if not equals or not name:
            raise UsageError(f'-i {text}: write NAME=VALUE, such as -i prompt="a red chair"', code="usage.input")
        value = _value(name, written)
        if name in several:
            found[name].append(value)
        elif name in found:
            found[name] = [found[name], value]
            several.add(name)
        else:
            found[name] = value
    return found


def _value(name: str, written: str) -> Any:
    if written.startswith("@") or written.startswith(PATHS):
        path = Path(written.removeprefix("@")).expanduser()
        if not path.is_file():
            raise UsageError(f"-i {name}: there is no file {path}", code="usage.input")
        return path
    try:
        return json.loads(written, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return written


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
