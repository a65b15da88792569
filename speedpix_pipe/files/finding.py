"""Patterns over objects: the same semantics as over folders, by as few and as narrow listings as they allow.

What stands before the first wildcard narrows every listing. Below, a `**` lists everything, and anything else goes from
`/` to `/`. Keys that no path could have (with an empty part, or a part `.` or `..`) are passed over, and so are the
empty objects that stand for folders.
"""

from __future__ import annotations

from collections.abc import Iterator

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files.pattern import (
    _ANY_DEPTH,
    _below,
    _closed,
    _folded,
    _is_last,
    _rows,
    _split,
    _State,
    _takes,
    has_magic,
)
from speedpix_pipe.files.storage import Entry, ObjectUrl, Storage, open_storage

_ODD = frozenset({"", ".", ".."})


def no_match(pattern: str) -> ExpressionError:
    return ExpressionError(
        f"pattern `{pattern}` matches no object",
        code="files.no-match",
        hint="check the bucket, the folder and the spelling, or say `allow_empty: true` if none may be right",
    )


def find_objects(pattern: ObjectUrl) -> tuple[str, list[Entry]]:
    """The fixed folder with a `/` at its end, and the objects that match, sorted by URL."""
    storage = open_storage(pattern.scheme)
    root = f"{pattern.scheme}://{pattern.bucket}/"
    base, tail = _split(pattern.key)
    start = f"{root}{base}/" if base else root
    if not has_magic(tail):  # a plain URL means that very object, whatever else is called so in capitals
        exact = storage.look(ObjectUrl(start + tail))
        if exact is not None:
            return start, [exact]
    states = _closed((row, 0) for row in _rows(pattern.text, tail))
    walk = _Walk(storage)
    found = walk.below(start, states)
    if not walk.met_anything and base:
        other = _same_but_case(storage, root, base.split("/"))
        if other is not None:
            return other, walk.below(other, states)
    return start, found


class _Walk:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.met_anything = False

    def below(self, start: str, states: tuple[_State, ...]) -> list[Entry]:
        found: dict[str, Entry] = {}
        todo = [(start, states)]
        while todo:
            place, here = todo.pop()
            deep = any(row[at] is _ANY_DEPTH for row, at in here)
            for met in self._storage.list(ObjectUrl(place), deep=deep):
                self.met_anything = True
                if isinstance(met, ObjectUrl):
                    name = met.text[len(place) :].rstrip("/")
                    inside = () if name in _ODD else _closed(_below(name, here))
                    if inside:
                        todo.append((met.text, inside))
                elif _fits(met.url[len(place) :].split("/"), here):
                    found[met.url] = met
        return [found[url] for url in sorted(found)]


def _fits(names: list[str], states: tuple[_State, ...]) -> bool:
    if not _ODD.isdisjoint(names):
        return False
    for name in names[:-1]:
        states = _closed(_below(name, states))
        if not states:
            return False
    return any(_is_last(state) and _takes(state, names[-1]) for state in states)


def _same_but_case(storage: Storage, root: str, names: list[str]) -> str | None:
    """The folder whose name differs in case only, as it is found on a disk."""
    place = root
    for name in names:
        wanted = _folded(name)
        same = sorted(_folders(storage, place, wanted))
        if not same:
            return None
        place = f"{place}{name}/" if name in same else f"{place}{same[0]}/"
    return place


def _folders(storage: Storage, place: str, wanted: str) -> Iterator[str]:
    for met in storage.list(ObjectUrl(place), deep=False):
        if isinstance(met, ObjectUrl):
            name = met.text[len(place) :].rstrip("/")
            if _folded(name) == wanted:
                yield name
