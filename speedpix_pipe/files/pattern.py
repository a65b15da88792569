"""Patterns: `*`, `?`, `[...]`, `**` and `{a,b}`; case ignored, dot names skipped, folder links not followed.

A pattern is a set of alternatives, each a row of segments; folders are walked once with all alternatives in
hand, and a name is matched against the segments that are next.
"""

from __future__ import annotations

import fnmatch
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files.paths import resolve, shown_path
from speedpix_pipe.files.storage.urls import names_object
from speedpix_pipe.files.value import Digests, FileValue, Home

_MAGIC = re.compile(r"[*?\[{]")
_ALTERNATIVES = 1000
_ANY_DEPTH = None

_Segment = re.Pattern[str] | None  # None is `**`
_Row = tuple[_Segment, ...]
_State = tuple[_Row, int]


def has_magic(text: str) -> bool:
    """Whether it is a pattern rather than a plain path."""
    return _MAGIC.search(text) is not None


def find_files(
    pattern: str, folder: Path, *, allow_empty: bool = False, digests: Digests | None = None
) -> list[FileValue]:
    """The files that match, sorted by path. None at all is an error unless `allow_empty`."""
    base, tail = _split(pattern)
    real_base = _real_folder(resolve(base or ".", folder), folder)
    found: list[str] = []
    prefix = ""
    if real_base is not None:
        shown = shown_path(real_base, folder)
        prefix = "" if shown == "." else shown.rstrip("/") + "/"
        # A plain path means that very file, whatever else is called so in capitals.
        if not has_magic(tail) and os.path.isfile(os.path.join(real_base, tail)):  # noqa: PTH113, PTH118 - quicker, and exact
            found = [prefix + tail]
        else:
            try:
                found = sorted(_walk(str(real_base), prefix, _rows(pattern, tail)))
            except OSError as error:
                raise ExpressionError(
                    f"pattern `{pattern}`: cannot read the folder {error.filename}: {error.strerror}",
                    code="files.folder",
                ) from None
    if not found and not allow_empty:
        raise ExpressionError(
            f"pattern `{pattern}` matches no file in {folder}",
            code="files.no-match",
            hint="check the folder and the spelling, or say `allow_empty: true` if none may be right",
        )
    home = Home(str(folder), prefix, digests)
    return [FileValue(path, home) for path in found]


def pattern_covers(pattern: str, path: str, *, folder: Path = Path(), of_path: Path | None = None) -> bool:
    """Whether `path` would be found by `pattern`; written in `folder` and, where that is another one, `of_path`."""
    if names_object(pattern) != names_object(path):
        return False
    if names_object(pattern):
        folder = of_path = Path()  # a URL means the same wherever it is written
    base, tail = _split(pattern)
    names, fixed = _names(path, of_path or folder), _names(base or ".", folder)
    if [_folded(name) for name in names[: len(fixed)]] != [_folded(name) for name in fixed]:
        return False
    rest = names[len(fixed) :]
    states = _closed((row, 0) for row in _rows(pattern, tail))
    for name in rest[:-1]:
        states = _closed(_below(name, states))
    return bool(rest) and any(_is_last(state) and _takes(state, rest[-1]) for state in states)


def _names(path: str, folder: Path) -> tuple[str, ...]:
    return tuple(name for name in resolve(path, folder).parts if name != ".")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _split(pattern: str) -> tuple[str, str]:
    """The fixed folder and what is looked for below it."""
    magic = _MAGIC.search(pattern)
    before = pattern[: magic.start()] if magic else pattern
    base, slash, _ = before.rpartition("/")
    return (base or slash, pattern[len(base) + len(slash) :])


def _real_folder(wanted: Path, folder: Path) -> Path | None:
    """The folder itself, or the one whose name differs in case only."""
    if wanted.is_dir():
        return wanted
    place = folder if wanted.is_relative_to(folder) else Path(wanted.anchor)
    for name in wanted.relative_to(place).parts:
        if (place / name).is_dir():
            place /= name
            continue
        try:
            with os.scandir(place) as entries:
                same = sorted(e.name for e in entries if e.is_dir() and _folded(e.name) == _folded(name))
        except OSError:
            return None
        if not same:
            return None
        place /= same[0]
    return place


def _rows(pattern: str, tail: str) -> list[_Row]:
    rows = []
    for text in _alternatives(pattern, tail):
        names = [name for name in text.split("/") if name not in {"", "."}]
        if ".." in names:
            raise ExpressionError(f"pattern `{pattern}`: `..` after a wildcard", code="files.pattern")
        if names and names[-1] == "**":
            names.append("*")
        rows.append(tuple(_ANY_DEPTH if name == "**" else _segment(name) for name in names))
    return rows


def _segment(name: str) -> re.Pattern[str]:
    name = unicodedata.normalize("NFC", name)
    hidden = "" if name.startswith(".") else r"(?!\.)"
    return re.compile(hidden + fnmatch.translate(name), re.IGNORECASE)


def _alternatives(pattern: str, text: str) -> list[str]:
    """`{a,b}` written out; braces without a comma are ordinary characters."""
    open_, done = [text], []
    while open_:
        one = open_.pop()
        braces = _braces(one)
        if braces is None:
            done.append(one)
        else:
            start, end, choices = braces
            open_.extend(one[:start] + choice + one[end + 1 :] for choice in choices)
        if len(open_) + len(done) > _ALTERNATIVES:
            raise ExpressionError(f"pattern `{pattern}` has over {_ALTERNATIVES} alternatives", code="files.pattern")
    return done


def _braces(text: str) -> tuple[int, int, list[str]] | None:
    """The first `{a,b}`: where it begins and ends, and its choices."""
    opened: list[tuple[int, list[int]]] = []
    found: tuple[int, int, list[str]] | None = None
    for at, character in enumerate(text):
        if character == "{":
            opened.append((at, []))
        elif character == "," and opened:
            opened[-1][1].append(at)
        elif character == "}" and opened:
            start, commas = opened.pop()
            if commas and (found is None or start < found[0]):
                cuts = [start, *commas, at]
                found = (start, at, [text[a + 1 : b] for a, b in itertools.pairwise(cuts)])
            if found and not opened:
                return found
    return found


def _closed(states: Iterable[_State]) -> tuple[_State, ...]:
    """With what `**` allows by standing for nothing."""
    closed: dict[tuple[int, int], _State] = {}
    for row, start in states:
        at = start
        closed[id(row), at] = (row, at)
        while at < len(row) and row[at] is _ANY_DEPTH:
            at += 1
            closed[id(row), at] = (row, at)
    return tuple(state for state in closed.values() if state[1] < len(state[0]))


def _takes(state: _State, name: str) -> bool:
    segment = state[0][state[1]]
    if segment is _ANY_DEPTH:
        return not name.startswith(".")
    return segment.match(name if name.isascii() else unicodedata.normalize("NFC", name)) is not None


def _is_last(state: _State) -> bool:
    return state[1] == len(state[0]) - 1


def _below(name: str, states: Iterable[_State]) -> Iterator[_State]:
    """The states inside the folder `name`."""
    for state in states:
        row, at = state
        if _takes(state, name):
            if row[at] is _ANY_DEPTH:
                yield state
            elif at + 1 < len(row):
                yield row, at + 1


def _walk(folder: str, prefix: str, rows: list[_Row]) -> set[str]:
    found: set[str] = set()
    open_ = [(folder, prefix, _closed((row, 0) for row in rows))]
    while open_:
        place, shown, states = open_.pop()
        last = [state[0][state[1]] for state in states if _is_last(state)]
        deeper = any(not _is_last(state) for state in states)
        with os.scandir(place) as entries:
            for entry in entries:
                name = entry.name
                plain = name if name.isascii() else _checked(name, place)
                if any(segment is not None and segment.match(plain) for segment in last) and entry.is_file():
                    found.add(shown + name)
                elif deeper and entry.is_dir(follow_symlinks=False):
                    inside = _closed(_below(plain, states))
                    if inside:
                        open_.append((entry.path, f"{shown}{name}/", inside))
    return found


def _checked(name: str, place: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ExpressionError(
            f"the name {name!r} in {place} is not UTF-8", code="files.name", hint="rename the file"
        ) from None
    return unicodedata.normalize("NFC", name)
