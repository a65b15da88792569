"""Moving judged files to where their verdict sends them: a name of their own, nothing replaced, nothing half there.

The wanted name goes into the journal, then it is reserved by an empty file that only one of all watchers and users
can have made, and then our file is renamed over it. A crash at any point leaves either our file in its claim, or
whole under the name in the journal.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable
from errno import EXDEV
from pathlib import Path

from speedpix_pipe.records import dataclass
from speedpix_pipe.triggers import notes
from speedpix_pipe.triggers.claims import Step, make_below, no_step
from speedpix_pipe.triggers.naming import names


@dataclass(frozen=True, slots=True)
class Move:
    """One file and the place it is to have; `identity` is its claim's."""

    identity: str
    source: Path
    target: Path


def free_name(wanted: Path, taken: set[Path], after: int = 0) -> tuple[Path, int]:
    """The first name that nobody has, and its number; a guess until it is reserved. `after`: those before are taken."""
    for number, path in enumerate(names(wanted, after), after):
        if path not in taken and not os.path.lexists(path):
            return path, number
    raise AssertionError("names never end")


def reserve(target: Path, root: Path) -> int | None:
    """Take the name by an empty file: its inode, or None if it is taken. The watched root itself is never made."""
    make_below(root, target.parent)
    try:
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        return None
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


def is_placeholder(target: Path, inode: int | None = None) -> bool:
    """Whether an empty regular file stands there, as a crash leaves it that came after `reserve`.

    It is opened: who only asks for a name may be told by a share what stood there some seconds ago.
    """
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return status.st_size == 0 and stat.S_ISREG(status.st_mode) and inode in {None, status.st_ino}


def clear_reserved(target: Path, identity: str, inode: int | None = None) -> None:
    """Take away what was put there for a file that never came: the empty file, its note, the beginning of either."""
    with contextlib.suppress(OSError):
        if is_placeholder(target, inode):
            target.unlink()
            notes.remove_notes([target], unless=notes.is_foreign)
    for part in (notes.part_of(notes.note_of(target)), part_of(target, identity)):
        with contextlib.suppress(OSError):
            part.unlink()


def move_over(move: Move, step: Step = no_step) -> None:
    """Rename the file over its reserved name; across file systems copy it there whole first. `sync` comes after."""
    try:
        move.source.rename(move.target)
    except OSError as error:
        if error.errno != EXDEV:
            raise
        _copy_over(move, step)
    step("move.renamed")


def part_of(target: Path, identity: str) -> Path:
    """The name of a copy that is not whole yet."""
    return target.with_name(f".{identity}.part")


def _copy_over(move: Move, step: Step) -> None:
    part = part_of(move.target, move.identity)
    try:
        with move.source.open("rb") as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        with contextlib.suppress(OSError):  # a share may refuse modes, times and attributes
            shutil.copystat(move.source, part)
        step("move.copied")
        part.rename(move.target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    step("move.arrived")
    sync([move.target.parent])
    try:
        move.source.unlink(missing_ok=True)  # a share may have done it, and say that there is no such file
    except OSError:
        if os.path.lexists(move.source):  # each further try would leave one more copy
            move.target.unlink(missing_ok=True)
        raise


def sync(folders: Iterable[Path]) -> None:
    """Put new names in these folders on disk, if that can be done: shares may not know how, or be gone by now."""
    for folder in folders:
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
