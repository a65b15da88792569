"""What this machine has for a run: Python, packages, room for the state, limits of the kernel. For `doctor`.

A finding is one thing that was looked at; what a bad one means for an exit code is for the command.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import sys
from collections.abc import Iterator
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from speedpix_pipe._version import __version__
from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import STATE_DIR, Settings

OLDEST = (3, 11)
SMALL_ROOM = 5 * 10**9
FEW_WATCHES, FEW_INSTANCES, FEW_FILES = 8192, 128, 1024
INOTIFY = Path("/proc/sys/fs/inotify")


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` says what to do, where there is something to do."""

    check: str
    verdict: Verdict
    message: str
    remedy: str = ""

    def to_json(self) -> dict[str, Json]:
        return {"check": self.check, "verdict": self.verdict.value, "message": self.message, "remedy": self.remedy}


def python() -> Finding:
    version = sys.version.split()[0]
    if sys.version_info < OLDEST:
        return Finding("python", Verdict.BAD, version, "install Python 3.11 or newer")
    return Finding("python", Verdict.OK, f"{version}, {sys.executable}")


def packages() -> Finding:
    """Ourselves and what we need, by the metadata that the installer left."""
    try:
        needed = [line for line in metadata.requires("speedpix-pipe") or [] if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        remedy = "install it: pip install speedpix-pipe"
        return Finding("packages", Verdict.WARN, f"speedpix-pipe {__version__} runs without being installed", remedy)
    found, missing = [], []
    for name in sorted(match[0] for line in needed if (match := re.match(r"[\w.-]+", line))):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        remedy = f"pip install {' '.join(missing)}"
        return Finding("packages", Verdict.BAD, f"missing: {', '.join(missing)}", remedy)
    return Finding("packages", Verdict.OK, f"speedpix-pipe {__version__}; {', '.join(found)}")


def state(settings: Settings, folder: Path) -> Iterator[Finding]:
    """The folder that a run from here would keep its state in: may we write there, on what, is there room?"""
    from speedpix_pipe.store.mounts import file_system_of, is_network

    place = settings.nearest_state_folder(folder) or settings.state_folder(folder)
    there = next((path for path in (place, *place.parents) if path.exists()), Path("/"))
    remedy = f"set {STATE_DIR} to a folder on a local disk that you may write to"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding("state", Verdict.BAD, f"{place} cannot be written", remedy)
        return
    try:
        kind = file_system_of(there, Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape"))
    except OSError:
        kind = ""
    if is_network(kind):
        yield Finding("state", Verdict.BAD, f"{place} lies on a network file system ({kind})", remedy)
    else:
        yield Finding("state", Verdict.OK, f"{place}{f' ({kind})' if kind else ''}")
    yield _room(there)


def _room(there: Path) -> Finding:
    from speedpix_pipe.console.base import size
    from speedpix_pipe.store.folder import has_room

    free = shutil.disk_usage(there).free
    remedy = "free some, or `speedpix-pipe runs prune`"
    if not has_room(there):
        return Finding("disk", Verdict.BAD, f"{size(free)} free: too little, nothing would be submitted", remedy)
    if free < SMALL_ROOM:
        return Finding("disk", Verdict.WARN, f"{size(free)} free", remedy)
    return Finding("disk", Verdict.OK, f"{size(free)} free")


def limits() -> Iterator[Finding]:
    """Of the kernel and of this shell."""
    watches, instances = (_number(INOTIFY / name) for name in ("max_user_watches", "max_user_instances"))
    if watches is None or instances is None:
        yield Finding("inotify", Verdict.WARN, "this system has none", "`watch` looks into its folders by the clock")
    else:
        few = watches < FEW_WATCHES or instances < FEW_INSTANCES
        yield Finding(
            "inotify",
            Verdict.WARN if few else Verdict.OK,
            f"{watches:,} watches, {instances:,} instances",
            "for large hot folders: sysctl fs.inotify.max_user_watches=65536" if few else "",
        )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    enough = files == resource.RLIM_INFINITY or files >= FEW_FILES
    shown = "no limit" if files == resource.RLIM_INFINITY else f"{files:,}"
    yield Finding("open files", Verdict.OK if enough else Verdict.WARN, shown, "" if enough else "ulimit -n 4096")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
