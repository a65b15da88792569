"""What a command is, and how its arguments are parsed: argparse that raises instead of leaving."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, cast

from speedpix_pipe.errors import UsageError

Table = Mapping[str, tuple[str, str]]


class Command(Protocol):
    """A module of this folder. The module's docstring is the command's description.

    A module with a table COMMANDS of its own is a group: its commands are modules in turn.
    """

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line by a UsageError, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        hint = _specs_here() if message.endswith(": SPEC") else f"see {self.prog} --help"
        raise UsageError(message, code="usage.arguments", hint=hint)

    def format_help(self) -> str:
        import shutil  # with the compressions that it knows it takes 4 ms

        width = shutil.get_terminal_size().columns - 2
        self.formatter_class = partial(argparse.RawDescriptionHelpFormatter, width=width)
        return super().format_help()


def _specs_here() -> str:
    """What SPEC could be."""
    here = sorted(path.name for path in Path().glob("*.y*ml") if not path.name.endswith(".test.yaml"))
    if not here:
        return "SPEC is a pipeline's YAML file; `speedpix-pipe init` writes one"
    return f"SPEC is a pipeline's YAML file; here there are: {', '.join(here[:5])}"


def load(module: str) -> Command:
    return cast("Command", import_module(module))


def parser_of(command: Command, program: str) -> Parser:
    """The whole parser of one command."""
    parser = Parser(
        prog=program,
        description=command.__doc__,
        allow_abbrev=False,
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=80),  # asked for at each argument
    )
    command.add_arguments(parser)
    return parser


def carry_out(table: Table, program: str, arguments: list[str]) -> int:
    """Find the command that the first argument names, and run it with the others."""
    command = load(find(table, program, arguments[0])[0])
    name, rest = f"{program} {arguments[0]}", arguments[1:]
    inner: Table | None = getattr(command, "COMMANDS", None)
    if inner is None:
        return command.run(parser_of(command, name).parse_args(rest))
    if not rest or rest[0] in {"--help", "-h"}:
        print(overview(inner, name, command.__doc__ or ""))
        return 0 if rest else 2
    return carry_out(inner, name, rest)


def overview(table: Table, program: str, description: str) -> str:
    """What `--help` of a group of commands prints."""
    width = max(map(len, table))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in table.items()]
    return "\n".join([f"usage: {program} COMMAND ...", "", description.strip(), "", *lines])


def find(table: Table, program: str, name: str) -> tuple[str, str]:
    found = table.get(name)
    if found is not None:
        return found
    if name.endswith((".yaml", ".yml")):
        raise UsageError(f'"{name}" is no command', code="usage.no-command", hint=f"to run it: {program} run {name}")
    what = "option" if name.startswith("-") else "command"
    import difflib  # only those who mistype need it

    near = difflib.get_close_matches(name, table, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"the commands of {program} are: {', '.join(table)}"
    raise UsageError(f'no {what} "{name}"', code="usage.no-command", hint=hint)
