"""Before a watcher begins: its name, and folders that cannot work refused with a sentence."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import string
from collections.abc import Sequence
from pathlib import Path

from speedpix_pipe.errors import UsageError
from speedpix_pipe.store.locks import spec_lock_path
from speedpix_pipe.triggers.claims import check_root
from speedpix_pipe.triggers.hotfolder import HotFolder
from speedpix_pipe.triggers.moving import sync


def watcher_id(state_folder: Path, spec: Path) -> str:
    """The name of this watcher in claims folders: made once per spec and state folder, then kept.

    It is not made of the host's name, which a container changes at each start.
    """
    name = spec_lock_path(state_folder, spec).name
    path = state_folder / "watchers" / name
    try:
        kept = path.read_text("utf-8").strip("\0" + string.whitespace)  # a power cut may leave nothing, or zeros
    except FileNotFoundError:
        kept = ""
    return kept or _made(path, spec)


def _made(path: Path, spec: Path) -> str:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    stem = re.sub(r"[^\w-]", "_", spec.stem, flags=re.ASCII)[:40]
    made = f"{stem}-{secrets.token_hex(4)}"
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as out:
        out.write(made + "\n")
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)
    sync([path.parent])
    return made


async def prepare(folders: Sequence[HotFolder], *, take_over: str | None, must_exist: bool) -> None:
    """Refuse what cannot work; adopt what another watcher has claimed. A root that is not there is waited for."""
    taken = 0
    for folder in folders:
        places = folder.places
        if not places.root.is_dir():
            if must_exist:
                raise UsageError(
                    f"the watched folder {places.shown} is not there",
                    code="watch.no-folder",
                    hint=f"make {places.root}, or mount it; it is never created, because it may only be unmounted",
                )
            continue
        try:
            await asyncio.to_thread(_check, folder)
            if take_over is not None:
                taken += await asyncio.to_thread(folder.claims.take_over, take_over)
        except (UsageError, OSError) as error:
            if not must_exist and not places.root.is_dir():
                continue  # it has gone in this very moment
            if isinstance(error, UsageError):
                raise
            raise UsageError(
                f"the watched folder {places.shown} cannot be read: {error.strerror or error}",
                code="watch.unreadable",
                hint="watch a folder whose files this user may list and move",
            ) from error
    if take_over is not None and not taken:
        raise UsageError(
            f"no watcher {take_over} has claimed anything here",
            code="watch.no-claims",
            hint="its name is that of a folder in .speedpix-claims of the watched folder",
        )


def _check(folder: HotFolder) -> None:
    made_before = folder.claims.folder.is_dir()
    found = folder.inbox.tree.scan()
    if found.other_devices:
        raise UsageError(
            f"{os.path.join(folder.places.shown, found.other_devices[0])} lies on another file system than "  # noqa: PTH118 - as the spec writes it
            f"{folder.places.shown}, so files in it cannot be claimed",
            code="watch.other-device",
            hint="give it an entry of its own under `watch`, or ignore it",
        )
    if made_before or not folder.has_rows():
        check_root(folder.places.root, folder.claims)
