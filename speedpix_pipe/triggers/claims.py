"""Claiming: a file is ours once it lies in a folder that is ours alone.

Each claim has a new folder `.speedpix-claims/WATCHER/ULID/` in the watched root, and a file is renamed into it. Two
watchers that reach for one file have two folders, so neither can cover what the other got; who has the file in the
own folder has won, whatever `rename` returned (over NFS it may report a failure that was none). What lies in the
folders is the truth about what is claimed; the journal only tells what is known of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from speedpix_pipe.errors import UsageError
from speedpix_pipe.records import dataclass
from speedpix_pipe.triggers.naming import names
from speedpix_pipe.triggers.settle import Signature

CLAIMS = ".speedpix-claims"
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RETURNING = ".returning"  # beside a file that is being put back
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
Step = Callable[[str], None]  # told of each step as it is passed, for tests that crash there


def no_step(name: str) -> None:
    """Nobody wants to know."""


def new_ulid(milliseconds: int, random: bytes) -> str:
    """Sorts by time: 48 bits of it, then 80 random ones, in letters that file systems of all kinds keep apart."""
    number = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(random[:10], "big")
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that is ours. `name` is where it lay below the root."""

    id: str
    name: str
    path: Path  # where it lies now
    signature: Signature
    returning: bool = False  # a life before died while it put it back


class ClaimsFolder:
    """The claims of one watcher in one watched root."""

    def __init__(self, root: Path, watcher: str, *, step: Step = no_step) -> None:
        self.root = root
        self.watcher = watcher
        self.folder = root / CLAIMS / watcher
        self._step = step

    def prepare(self) -> None:
        """Make the folder. OSError where the root cannot be written."""
        make_below(self.root, self.folder)

    def claim(self, name: str, identity: str) -> Claim | None:
        """Take a file into a new folder; None if it is not ours after all."""
        target = self.folder / identity / name  # with its sub-folders, which the journal may not know yet
        make_below(self.root, target.parent)
        self._step("claim.folder")
        complaint: OSError | None = None
        try:
            (self.root / name).rename(target)
        except OSError as error:
            complaint = error
        try:
            status = target.lstat()
        except FileNotFoundError:
            self.drop(identity)
            if complaint is not None and not isinstance(complaint, FileNotFoundError):
                raise complaint from None
            return None
        self._step("claim.renamed")
        return Claim(identity, name, target, Signature.of(status))

    def may_hold(self, identity: str) -> bool:
        """Whether something is left of a claim, for all one can tell."""
        try:
            (self.folder / identity).lstat()
        except OSError as error:
            return not isinstance(error, FileNotFoundError)
        return True

    def put_back(self, claim: Claim) -> Path:
        """Return a file to where it lay, or beside what lies there now: it will be an arrival like any other."""
        wanted = self.root / claim.name
        make_below(self.root, wanted.parent)
        mark = self.folder / claim.id / _RETURNING
        mark.touch()
        self._step("back.marked")
        target = _given_before(claim.path, wanted) if claim.returning else None
        if target is None:
            target = _give(claim.path, wanted)
        self._step("back.given")
        claim.path.unlink(missing_ok=True)
        self._step("back.taken")
        self.drop(claim.id)
        return target

    def drop(self, identity: str) -> None:
        """Remove the folder of a claim that is over. A file that appeared in it stays."""
        with contextlib.suppress(OSError):
            (self.folder / identity / _RETURNING).unlink()
        for folder, _, _ in os.walk(self.folder / identity, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()

    def left(self, root: tuple[int, int] | None = None) -> list[Claim]:
        """What earlier lives of this watcher had claimed. Empty folders are swept. OSError if the root is gone.

        `root` is the device and inode that the root must have. All is read through one open folder: were it read by
        its name, a root that goes in between would look as if somebody had taken the files away.
        """
        found = []
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            above = os.stat("../..", dir_fd=descriptor)
            if root is not None and (above.st_dev, above.st_ino) != root:
                raise FileNotFoundError(errno.ENOENT, "another folder stands there")
            for identity in sorted(os.listdir(descriptor)):  # noqa: PTH208 - of a descriptor
                claim = self._left_in(identity, descriptor)
                if claim is not None:
                    found.append(claim)
                else:
                    self.drop(identity)
        finally:
            os.close(descriptor)
        return found

    def _left_in(self, identity: str, claims: int) -> Claim | None:
        own = self.folder / identity
        files: list[tuple[Path, Signature]] = []
        returning = False
        for folder, _, found, descriptor in os.fwalk(identity, dir_fd=claims):
            for name in sorted(found):
                if name == _RETURNING and folder == identity:
                    returning = True
                    continue
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                files.append((self.folder / folder / name, Signature.of(status)))
        if not files:
            return None
        path, signature = files[0]
        return Claim(identity, str(path.relative_to(own)), path, signature, returning=returning)

    def others(self) -> dict[str, float]:
        """Other watchers with claims here, and the time of each one's oldest claim folder."""
        found = {}
        for folder in _folders(self.root / CLAIMS):
            if folder.name != self.watcher:
                times = [time for own in _folders(folder) if (time := _since(own)) is not None]
                if times:
                    found[folder.name] = min(times)
        return found

    def take_over(self, other: str) -> int:
        """Make the claims of another watcher ours; how many there were."""
        source = self.root / CLAIMS / other
        if other == self.watcher or "/" in other or not source.is_dir():
            return 0
        taken = 0
        for own in _folders(source):
            with contextlib.suppress(FileNotFoundError):  # it is alive, and has just finished this one
                own.rename(self.folder / own.name)
                taken += 1
        with contextlib.suppress(OSError):
            source.rmdir()
        return taken

    def close(self) -> None:
        """Leave no empty folders behind."""
        for folder in (self.folder, self.root / CLAIMS):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _give(path: Path, wanted: Path) -> Path:
    """Give a file this name, or the next free one. Nothing is ever replaced."""
    for target in names(wanted):
        try:
            if _is_folder(path):  # it took the file's place in the very moment of the claim
                target.mkdir()
                path.rename(target)
            else:
                _link_or_move(path, target)
        except FileExistsError:
            continue
        return target
    raise AssertionError("names never end")


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _link_or_move(path: Path, target: Path) -> None:
    """FileExistsError where the name is taken."""
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A name of our own, which the rename may replace
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        path.rename(target)


def _given_before(path: Path, wanted: Path) -> Path | None:
    """The name that a life before has given it, if it got that far."""
    for target in names(wanted):
        try:
            if path.samefile(target):
                return target
        except FileNotFoundError:
            return None
    raise AssertionError("names never end")


def make_below(root: Path, folder: Path) -> None:
    """Make a folder and those above it, but never the root: where it is gone, something may merely not be mounted."""
    missing = []
    while folder != root and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)


def check_root(root: Path, claims: ClaimsFolder) -> None:
    """A root that can be claimed from, or a sentence that says why not."""
    try:
        claims.prepare()
        probe = claims.folder / ".probe"
        probe.touch()
        probe.unlink(missing_ok=True)  # another entry for the same folder may be at it, too
    except OSError as error:
        raise UsageError(
            f"the watched folder {root} cannot be written: {error.strerror}",
            code="watch.read-only",
            hint="files are claimed by moving them inside the folder: watch one that this user may write",
        ) from error
    if claims.folder.stat().st_dev != root.stat().st_dev:
        raise UsageError(
            f"{claims.folder} lies on another file system than {root}",
            code="watch.other-device",
            hint="files are claimed by renaming them, which works within one file system only",
        )


def _since(own: Path) -> float | None:
    """Since when a claim has been there; None if it is over, perhaps since a moment ago."""
    try:
        return own.stat().st_mtime if any(own.iterdir()) else None
    except OSError:
        return None


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink())
    except OSError:
        return []
