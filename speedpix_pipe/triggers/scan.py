"""Which files of a watched root count. Scanning is the truth; events only say when to look.

So a lost event, a share without events, a file moved in from elsewhere or a backlog need no case of their own.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import field
from pathlib import Path

from speedpix_pipe.errors import UsageError
from speedpix_pipe.files.pattern import _below, _closed, _is_last, _rows, _State, _takes
from speedpix_pipe.records import dataclass
from speedpix_pipe.triggers.settle import Signature

NOTE_SUFFIX = ".error.json"
_NEVER = (
    *("~$*", "*.tmp", "*.temp", "*.part", "*.partial", "*.crdownload", "*.download", "*.opdownload", "*.filepart"),
    *("*" + NOTE_SUFFIX, "*~", "#*#", "*.swp", "*.swo", "*.swx", "4913", "*.lck", "*.lock~"),
    *("thumbs.db", "ehthumbs*.db", "desktop.ini", "icon\r", "*.sb-????????-??????"),  # Windows, macOS
    *("*.!sync", "*.!ut", "*.!qb", "*.bts", "*.aria2", "*.syncthing.*", "*.rsync-tmp", "*.nfs????????*"),
)
_NEVER_ENTERED = frozenset(
    {"@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "lost+found", "$recycle.bin", "system volume information"}
    | {"network trash folder", "temporary items"}
)
_States = tuple[_State, ...]
_LITTER = re.compile("|".join(fnmatch.translate(pattern) for pattern in _NEVER), re.IGNORECASE)


@dataclass(slots=True)
class Found:
    """What one scan saw. `folders` were entered, by inode; from those on `other_devices` nothing can be claimed."""

    files: dict[str, Signature] = field(default_factory=dict)
    folders: dict[int, str] = field(default_factory=dict)
    other_devices: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Tree:
    """One watched root, with the patterns that say which of its files count."""

    def __init__(
        self,
        root: str,
        patterns: Sequence[str],
        ignore: Sequence[str],
        never: Iterable[str] = (),
        elders: Sequence[Tree] = (),
    ) -> None:
        """`never` are paths that are left alone; `elders` watch the same root, and what they take is theirs."""
        self.root = root
        self._states = _states_of(_plain(pattern) for pattern in patterns)
        self._ignored_names = [re.compile(fnmatch.translate(i), re.IGNORECASE) for i in ignore if "/" not in i]
        self._ignored_paths = _states_of(pattern for pattern in ignore if "/" in pattern)
        self._never = {os.path.normpath(path) for path in never}
        self._elders = tuple(elders)

    def scan(self) -> Found:
        """Look once. OSError where the root itself cannot be read."""
        found = Found()
        root = Path(self.root).stat()
        barred = set(self._barred())
        found.folders[root.st_ino] = self.root
        todo: list[tuple[str, str, _States]] = [(self.root, "", self._states)]
        while todo:
            folder, shown, states = todo.pop()
            try:
                with os.scandir(folder) as entries:
                    todo.extend(self._folder(entries, shown, states, root.st_dev, barred, found))
            except OSError:
                if not shown:
                    raise
                found.unreadable.append(shown)
        return found

    def _folder(
        self,
        entries: Iterable[os.DirEntry[str]],
        shown: str,
        states: _States,
        device: int,
        barred: Collection[tuple[int, int]],
        found: Found,
    ) -> list[tuple[str, str, _States]]:
        last = [state[0][state[1]] for state in states if _is_last(state)]
        deeper = any(not _is_last(state) for state in states)
        inside = []
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    below = _closed(_below(_normal(name), states)) if deeper and self._enters(entry) else ()
                    if not below:
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if (status.st_dev, status.st_ino) in barred:
                        continue
                    if status.st_dev != device:
                        found.other_devices.append(shown + name)
                        continue
                    found.folders[status.st_ino] = entry.path
                    inside.append((entry.path, f"{shown}{name}/", below))
                    continue
                plain = _normal(name)
                if not any(segment is not None and segment.match(plain) for segment in last):
                    continue
                if _LITTER.match(name) or self._ignores(shown, name) or self._is_an_elders(shown + name):
                    continue
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # deleted while we looked
            except OSError:
                found.unreadable.append(shown + name)
                continue
            ours = (status.st_dev, status.st_ino) in barred or entry.path in self._never
            if stat.S_ISREG(status.st_mode) and not ours:
                found.files[shown + name] = Signature.of(status)
        return inside

    def _enters(self, entry: os.DirEntry[str]) -> bool:
        return entry.name.casefold() not in _NEVER_ENTERED and os.path.normpath(entry.path) not in self._never

    def _barred(self) -> Iterator[tuple[int, int]]:
        """What is left alone, whatever it is called: a link or a mount may lead to it."""
        for path in self._never:
            try:
                status = Path(path).stat()
            except OSError:
                continue
            yield status.st_dev, status.st_ino

    def _ignores(self, shown: str, name: str) -> bool:
        if any(ignored.match(name) for ignored in self._ignored_names):
            return True
        return bool(self._ignored_paths) and _matches(self._ignored_paths, shown + name)

    def _is_an_elders(self, name: str) -> bool:
        return any(elder.counts(name) for elder in self._elders)

    def counts(self, name: str) -> bool:
        """Whether a file at this path below the root is one of ours."""
        shown, slash, last = name.rpartition("/")
        if _LITTER.match(last) or self._ignores(shown + slash, last) or self._is_an_elders(name):
            return False
        return _matches(self._states, name)

    def would_take(self, path: str) -> bool:
        """Whether a file at this absolute path would be an arrival: results that start themselves again."""
        inside = os.path.relpath(path, self.root)
        if inside.startswith("..") or any(part.startswith(".") for part in inside.split("/")):
            return False
        folder = path.rpartition(os.sep)[0]
        return not any(folder == place or folder.startswith(place + os.sep) for place in self._never)


def _states_of(patterns: Iterable[str]) -> _States:
    return _closed((row, 0) for pattern in patterns for row in _rows(pattern, pattern))


def _matches(states: _States, name: str) -> bool:
    *folders, last = (_normal(part) for part in name.split("/"))
    for folder in folders:
        states = _closed(_below(folder, states))
    return any(_is_last(state) and _takes(state, last) for state in states)


def _plain(pattern: str) -> str:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise UsageError(
            f"watch.patterns: `{pattern}` leads out of the watched folder",
            code="watch.pattern",
            hint="write what files in the folder are called, such as *.jpg or **/*.jpg",
        )
    return pattern


def _normal(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
