"""Which files of a watched root count. Scanning is the truth; events only say when to look.

So a lost event, a share without events, a file moved in from elsewhere or a backlog need no case of their own.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speedpix_pipe.errors import UsageError
from speedpix_pipe.files.pattern import _below, _closed, _is_last, _rows, _State, pattern_covers
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
_LITTER = re.compile("|".join(fnmatch.translate(pattern) for pattern in _NEVER), re.IGNORECASE)


@dataclass(slots=True)
class Found:
    """What one scan saw. `other_devices` are sub-folders on another file system, which cannot be claimed from."""

    files: dict[str, Signature] = field(default_factory=dict)
    other_devices: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Tree:
    """One watched root, with the patterns that say which of its files count."""

    def __init__(self, root: str, patterns: Sequence[str], ignore: Sequence[str], never: Iterable[str] = ()) -> None:
        """`never` are folders that are not entered: claims, done, failed."""
        self.root = root
        self._states = _closed((row, 0) for pattern in patterns for row in _rows(pattern, _plain(pattern)))
        self._ignored_names = [re.compile(fnmatch.translate(i), re.IGNORECASE) for i in ignore if "/" not in i]
        self._ignored_paths = [pattern for pattern in ignore if "/" in pattern]
        self._never = {os.path.normpath(folder) for folder in never}
        self.recursive = any(not _is_last(state) for state in self._states)

    def scan(self) -> Found:
        """Look once. OSError where the root itself cannot be read."""
        found = Found()
        device = Path(self.root).stat().st_dev
        todo: list[tuple[str, str, tuple[_State, ...]]] = [(self.root, "", self._states)]
        while todo:
            folder, shown, states = todo.pop()
            try:
                entries = os.scandir(folder)
            except OSError:
                if not shown:
                    raise
                found.unreadable.append(shown)
                continue
            with entries:
                todo.extend(self._folder(entries, shown, states, device, found))
        return found

    def _folder(
        self, entries: Iterable[os.DirEntry[str]], shown: str, states: tuple[_State, ...], device: int, found: Found
    ) -> list[tuple[str, str, tuple[_State, ...]]]:
        last = [state[0][state[1]] for state in states if _is_last(state)]
        deeper = any(not _is_last(state) for state in states)
        inside = []
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if deeper and self._enters(entry):
                        below = _closed(_below(_normal(name), states))
                        if below and entry.stat(follow_symlinks=False).st_dev != device:
                            found.other_devices.append(shown + name)
                        elif below:
                            inside.append((entry.path, f"{shown}{name}/", below))
                    continue
                plain = _normal(name)
                if not any(segment is not None and segment.match(plain) for segment in last):
                    continue
                if _LITTER.match(name) or self._ignores(shown, name):
                    continue
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # deleted while we looked
            if stat.S_ISREG(status.st_mode):
                found.files[shown + name] = Signature.of(status)
        return inside

    def _enters(self, entry: os.DirEntry[str]) -> bool:
        return entry.name.casefold() not in _NEVER_ENTERED and os.path.normpath(entry.path) not in self._never

    def _ignores(self, shown: str, name: str) -> bool:
        return any(ignored.match(name) for ignored in self._ignored_names) or any(
            pattern_covers(pattern, shown + name) for pattern in self._ignored_paths
        )

    def would_take(self, path: str) -> bool:
        """Whether a file at this absolute path would be an arrival: results that start themselves again."""
        inside = os.path.relpath(path, self.root)
        if inside.startswith("..") or any(part.startswith(".") for part in inside.split("/")):
            return False
        folder = path.rpartition(os.sep)[0]
        return not any(folder == place or folder.startswith(place + os.sep) for place in self._never)


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
