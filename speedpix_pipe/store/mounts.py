"""Which file system a folder lies on, as the kernel tells it: locks and SQLite's log need a local one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from speedpix_pipe.errors import StoreError

_NETWORK = frozenset(
    {"9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "gfs2", "glusterfs", "gpfs", "lustre"}
    | {"ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf"}
    | {"vmhgfs"}
)
# FUSE serves local file systems too (ntfs-3g, overlay, encryption): only those known to go over a wire are refused.
_NETWORK_FUSE = frozenset(
    {"beegfs", "blobfuse", "blobfuse2", "ceph", "curlftpfs", "davfs", "davfs2", "gcsfuse", "glusterfs", "goofys"}
    | {"grpcfuse", "gvfsd-fuse", "juicefs", "mfs", "moosefs", "mount-s3", "ossfs", "osxfs", "rclone", "s3fs"}
    | {"seaweedfs", "smbnetfs", "sshfs", "vmhgfs-fuse"}
)


def file_system_of(path: Path, mountinfo: str) -> str:
    """The type of the file system that holds a real path; empty if the table does not say."""
    best, kind = -1, ""
    real = os.path.realpath(path)
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) < 5 or not rest[0]:
            continue
        point = _unescape(fields[4])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # a later mount over the same point hides the earlier one
            best, kind = len(point), rest[0]
    return kind


def _unescape(text: str) -> str:
    raw = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), os.fsencode(text))
    return os.fsdecode(raw)


def is_network(kind: str) -> bool:
    family, _, server = kind.partition(".")
    return server in _NETWORK_FUSE if family == "fuse" else kind in _NETWORK


def refuse_network(folder: Path, mountinfo: str | None = None) -> None:
    """Raise for a folder on a network file system, where neither locks nor syncs can be trusted."""
    if mountinfo is None:
        try:
            mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return  # no such table on this system: nothing can be said
    kind = file_system_of(folder, mountinfo)
    if is_network(kind):
        raise StoreError(
            f"the state folder {folder} lies on a network file system ({kind}), where a crash could lose paid results",
            code="store.network",
            hint="set SPEEDPIX_STATE_DIR to a folder on a local disk; specs, inputs and outputs may stay",
        )
