"""Who is at work here: locks that the kernel drops when their process dies, however it dies.

`flock` needs no heartbeat and no guess about pids: it works across containers that share the folder, and survives
neither a crash nor a reboot. A lock file's text only tells people who holds it. Files are opened close-on-exec, and
our pools use forkserver, so that no orphaned child keeps a lock alive.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from speedpix_pipe.errors import StoreError
from speedpix_pipe.records import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """This process, as a lock file and a row of `runs` name it."""

    pid: int
    host: str
    boot_id: str
    started: str

    @classmethod
    def current(cls) -> Process:
        return cls(os.getpid(), socket.gethostname(), _read("/proc/sys/kernel/random/boot_id"), _started())


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _started() -> str:
    """When this process began, in the kernel's ticks: field 22, counted after the name, which may hold anything."""
    fields = _read("/proc/self/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# --- specs ---------------------------------------------------------------------------------------


def spec_lock_path(folder: Path, spec: Path) -> Path:
    """The lock of a spec: a spec is its real path."""
    real = os.path.realpath(spec)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    name = re.sub(r"[^\w.-]", "_", spec.stem, flags=re.ASCII)[:60]
    return folder / "locks" / f"{digest}-{name}"


@contextlib.contextmanager
def spec_lock(folder: Path, spec: Path, *, run_id: str, now: datetime) -> Iterator[None]:
    """Hold the lock of a spec, or refuse and say who holds it."""
    descriptor = _open(spec_lock_path(folder, spec))
    try:
        if not _try(descriptor, fcntl.LOCK_EX):
            raise _refusal(spec, os.pread(descriptor, 4096, 0))
        process = Process.current()
        holder = {"pid": process.pid, "host": process.host, "run": run_id, "started": now.isoformat(" ", "seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _refusal(spec: Path, text: bytes) -> StoreError:
    try:
        holder = json.loads(text)
        who = f"by process {holder['pid']} on {holder['host']}: run {holder['run']}, started {holder['started']}"
    except (ValueError, KeyError, TypeError):  # it has the lock and has not written its name yet
        who = "by another process, which is just starting"
    return StoreError(
        f"{spec} is being run {who}",
        code="store.locked",
        hint="wait for it, or stop it with `speedpix-pipe runs cancel`",
    )


# --- runs ----------------------------------------------------------------------------------------


def _run_lock_path(folder: Path, run_id: str) -> Path:
    return folder / "locks" / f"run-{run_id}"


class RunLocks:
    """The locks of the runs that this process carries out: what makes `run_lives` true for everybody else.

    Work that is no run's, but that of a process with many, has a name and a lock like a run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def take(self, run_id: str) -> None:
        if run_id in self._held:
            return
        path = _run_lock_path(self._folder, run_id)
        while True:
            descriptor = _open(path)
            # Others take this lock only to probe it, for microseconds, or to sweep what the run left; a second process
            # that resumes the same run was turned away at the spec's lock before: so waiting is right, and short.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, path):
                break
            os.close(descriptor)  # whoever held it before has removed the file: take the new one
        self._held[run_id] = descriptor

    def leave(self, run_id: str) -> None:
        descriptor = self._held.pop(run_id, None)
        if descriptor is not None:
            _run_lock_path(self._folder, run_id).unlink(missing_ok=True)
            os.close(descriptor)

    def leave_all(self) -> None:
        for run_id in list(self._held):
            self.leave(run_id)

    def holds(self, run_id: str) -> bool:
        """Is this run carried out by this very process?"""
        return run_id in self._held

    def lives(self, run_id: str) -> bool:
        """Is this run carried out by a living process, this one included."""
        return run_id in self._held or run_lives(self._folder, run_id)

    @contextlib.contextmanager
    def dead(self, run_id: str) -> Iterator[bool]:
        """Does nobody carry out this run? Then nobody begins to while inside: who takes it up again waits for us."""
        if run_id in self._held:
            yield False
            return
        path = _run_lock_path(self._folder, run_id)
        descriptor = _open(path)
        try:
            # Shared, so that the run does not look alive to those who ask meanwhile.
            free = _try(descriptor, fcntl.LOCK_SH) and _is_at(descriptor, path)
            yield free
            # A lock is let go of for a moment when it becomes another one: whoever came first then has the file.
            if free and _try(descriptor, fcntl.LOCK_EX) and _is_at(descriptor, path):
                path.unlink()
        finally:
            os.close(descriptor)


def run_lives(folder: Path, run_id: str) -> bool:
    """Is this run carried out by a living process?"""
    try:
        descriptor = os.open(_run_lock_path(folder, run_id), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


# --- the folder ----------------------------------------------------------------------------------


@contextlib.contextmanager
def entrance(folder: Path) -> Iterator[None]:
    """One process at a time opens the folder, so that looking at its version and mending it are one step."""
    descriptor = _open(folder / "locks" / "entrance")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def share_folder(folder: Path) -> int:
    """Be known as one who uses the folder; the lock ends with its descriptor."""
    descriptor = _open(folder / "locks" / "users")
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_unused(folder: Path) -> bool:
    """Does no living process use the folder? Meant for whoever stands in the entrance."""
    descriptor = _open(folder / "locks" / "users")
    try:
        return _try(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def alone(folder: Path, *, purpose: str) -> Iterator[None]:
    """Keep everybody else out while tables are changed or mended; refuse if somebody is in."""
    descriptor = _open(folder / "locks" / "users")
    try:
        if not _try(descriptor, fcntl.LOCK_EX):
            raise StoreError(
                f"another process uses {folder}, so it cannot be {purpose}",
                code="store.locked",
                hint="wait until every run, watch and page of this folder has ended; `runs list` shows them",
            )
        yield
    finally:
        os.close(descriptor)
