"""Which stores of objects there are."""

from __future__ import annotations

STORAGES: dict[str, str] = {
    "s3": "speedpix_pipe.files.storage.s3:S3Storage",
    "oss": "speedpix_pipe.files.storage.oss:OssStorage",
}
PACKAGES = {"s3": "pip install 'speedpix-pipe[s3]'", "oss": "pip install ossfs"}
