"""What may stand where the cursor is. Asked at every press of a key, so it loads as little as it can.

Commands come from their tables, options from the parser of the one command, steps from the lines of the spec, keys
and runs from the journal. Whatever cannot be found out is left out: completing never complains.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from speedpix_pipe.cli import COMMANDS
from speedpix_pipe.cli.base import Table, load, parser_of

Candidates = Iterator[tuple[str, str]]  # a text and what it means
MOST = 200
LARGEST_SPEC = 4 << 20
_STEP = re.compile(r"(\s+)([^\s#:'\"{\[-][^:]*|'[^']+'|\"[^\"]+\"):(\s|$)")


def candidates(words: Sequence[str]) -> list[tuple[str, str]]:
    """For a line of words of which the last one is being typed."""
    *before, word = words
    found = _candidates(COMMANDS, before, word)
    kept = dict.fromkeys((text, about) for text, about in found if text.startswith(word))
    return sorted(kept)[:MOST]


def _candidates(table: Table, before: list[str], word: str) -> Candidates:
    if not before:
        yield from ((name, summary) for name, (_, summary) in table.items())
        yield "--help", ""
        return
    row = table.get(before[0])
    if row is None:
        return
    command = load(row[0])
    inner: Table | None = getattr(command, "COMMANDS", None)
    if inner is not None:
        yield from _candidates(inner, before[1:], word)
    else:
        yield from _arguments(parser_of(command, before[0]), before[1:], word)


def _arguments(parser: argparse.ArgumentParser, before: list[str], word: str) -> Candidates:
    options = {name: action for action in parser._actions for name in action.option_strings}
    places = [action for action in parser._actions if not action.option_strings]
    awaited, given = _read(options, before)
    if awaited is not None:
        yield from _values(awaited, word, given)
        return
    name, equals, value = word.partition("=")
    if equals and name in options:
        yield from ((f"{name}={text}", about) for text, about in _values(options[name], value, given))
        return
    if word.startswith("-"):
        for name, action in options.items():
            if name.startswith("--") or name == "-p":
                yield name, (action.help or "").partition(";")[0]
        return
    if places:
        number = len(given)
        place = places[min(number, len(places) - 1)]
        if number < len(places) or place.nargs in {"*", "+"}:
            yield from _values(place, word, given)


def _read(options: dict[str, argparse.Action], before: list[str]) -> tuple[argparse.Action | None, list[str]]:
    """The option whose value comes next, if one does, and the words that are no options."""
    given: list[str] = []
    awaited: argparse.Action | None = None
    for text in before:
        if awaited is not None:
            awaited = None
        elif text.startswith("-"):
            action = options.get(text)
            awaited = action if action is not None and action.nargs != 0 else None
        else:
            given.append(text)
    return awaited, given


def _values(action: argparse.Action, word: str, given: list[str]) -> Candidates:
    """What an option or a place takes, by its choices, and by the name that help shows for it."""
    if action.choices is not None:
        yield from ((str(choice), "") for choice in action.choices)
        return
    match action.metavar:
        case "SPEC":
            yield from _paths(word, (".yaml", ".yml"))
        case "SEL":
            yield from _selectors(word, _spec(given))
        case "STEP@KEY":
            yield from _selectors(word, None)
        case "RUN":
            yield from _runs()
        case "RUN|STEP@KEY":
            yield from _runs()
            yield from _selectors(word, None)
        case "NAME=VALUE":
            spec = _spec(given)
            yield from ((f"{name}=", "") for name in _members(spec, "params")) if spec else ()
        case "WORKFLOW" | "K=V":
            return
        case _ if action.type is Path or action.metavar in {"F", "FILE", "DIR"}:
            yield from _paths(word, ())


# --- files ---


def _paths(word: str, suffixes: tuple[str, ...]) -> Candidates:
    head, _, name = word.rpartition("/")
    folder = f"{head}/" if "/" in word else ""
    try:
        entries = list(os.scandir(os.path.expanduser(folder) or "."))  # noqa: PTH111 - scandir knows folders
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") and not name.startswith("."):
            continue
        if entry.is_dir():
            yield f"{folder}{entry.name}/", ""
        elif not suffixes or entry.name.endswith(suffixes):
            yield folder + entry.name, ""


# --- the spec, by its lines: a parser would cost more than the answer is worth ---


def _spec(given: list[str]) -> Path | None:
    return next((Path(text) for text in given if text.endswith((".yaml", ".yml"))), None)


def _members(spec: Path, section: str) -> list[str]:
    """The names directly under a top-level key."""
    try:
        if spec.stat().st_size > LARGEST_SPEC:
            return []
        lines = spec.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    names: list[str] = []
    inside, depth = False, ""
    for line in lines:
        if line[:1] not in {" ", "\t", "#", ""}:
            inside = line.startswith(f"{section}:")
        elif inside and (found := _STEP.match(line)):
            depth = depth or found[1]
            if found[1] == depth:
                names.append(found[2].strip("'\""))
    return names


# --- the journal ---


def _selectors(word: str, spec: Path | None) -> Candidates:
    """STEP, or STEP@KEY of the latest run, once the step is named."""
    step, at, key = word.partition("@")
    if at:
        yield from ((f"{step}@{known}", "") for known in _keys(spec, step, key))
    elif spec is not None:
        yield from ((name, "") for name in _members(spec, "steps"))
    else:
        yield from ((f"{name}@", "") for name in _steps_of_latest())


def _keys(spec: Path | None, step: str, key: str) -> list[str]:
    from speedpix_pipe.cli.completion.past import keys

    return keys(spec, step, key, MOST)


def _steps_of_latest() -> list[str]:
    from speedpix_pipe.cli.completion.past import steps

    return steps()


def _runs() -> Candidates:
    from speedpix_pipe.cli.completion.past import runs

    yield from runs(MOST)
