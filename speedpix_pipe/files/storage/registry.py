"""Which stores of objects there are. The scheme is the name; what stands behind it is made with it.

`gs` and `az` are what fsspec makes of them, without conditions; the other two are asked in their own language.
"""

from __future__ import annotations

STORAGES: dict[str, str] = {
    "s3": "speedpix_pipe.files.storage.s3:S3Storage",
    "oss": "speedpix_pipe.files.storage.oss:OssStorage",
    "gs": "speedpix_pipe.files.storage.generic:FsspecStorage",
    "az": "speedpix_pipe.files.storage.generic:FsspecStorage",
}
PACKAGES = {
    "s3": "pip install 'speedpix-pipe[s3]'",
    "oss": "pip install ossfs",
    "gs": "pip install gcsfs",
    "az": "pip install adlfs",
}
