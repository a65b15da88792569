"""Writes the parts of docs/cli.md that say what commands take, from the parsers themselves.

`python _tools/cli_docs.py` writes, `--check` only compares. The text between the generated parts is by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "cli.md"
BLOCK = re.compile(r"<!-- options: (?P<name>[^>]+?) -->\n.*?<!-- end -->", re.DOTALL)


def module_of(name: str) -> str:
    """The module of a command such as `run` or `runs list`."""
    from speedpix_pipe.cli import COMMANDS

    table, module = COMMANDS, ""
    for word in name.split():
        module = table[word][0]
        table = getattr(import_module(module), "COMMANDS", {})
    return module


def options(module: str, name: str) -> str:
    """The command's description and its arguments, as Markdown."""
    from speedpix_pipe.cli.base import load, parser_of

    command = load(module)
    parser = parser_of(command, f"speedpix-pipe {name}")
    rows = [row for action in parser._actions if (row := _row(action)) is not None]
    about = [(command.__doc__ or "").strip()]
    return "\n".join([*about, "", "| | |", "|---|---|", *rows] if rows else about)


def _row(action: argparse.Action) -> str | None:
    if isinstance(action, argparse._HelpAction):
        return None
    metavar = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else "")
    shown = str(metavar) if not action.option_strings else " ".join([*action.option_strings, str(metavar)]).strip()
    if not action.option_strings and action.nargs == "?":
        shown = f"[{shown}]"
    if action.nargs == "+":
        shown += "..."
    return f"| `{_cell(shown)}` | {_cell(action.help or '')} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def renewed(page: str) -> str:
    """The page with every generated part as it is now."""

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- options: {name} -->\n\n{options(module_of(name), name)}\n\n<!-- end -->"

    return BLOCK.sub(block, page)


def main() -> int:
    page = PAGE.read_text("utf-8")
    new = renewed(page)
    if "--check" in sys.argv[1:]:
        if new != page:
            print("docs/cli.md is stale: run python _tools/cli_docs.py", file=sys.stderr)
        return int(new != page)
    PAGE.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
