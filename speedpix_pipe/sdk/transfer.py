"""Moving files without credentials: PUT to a pre-signed URL, GET from one. Streamed, hashed, whole or not at all.

Usable alone, on a machine that knows no key; it imports nothing that signs. The functions are asynchronous; those
ending in `_sync` are the same for threads.
"""

from speedpix_pipe.sdk._async._transfer import EXPIRED as EXPIRED_STATUSES
from speedpix_pipe.sdk._async._transfer import AsyncTransferClient, Moved
from speedpix_pipe.sdk._async._transfer import async_download as download
from speedpix_pipe.sdk._async._transfer import async_open_client as open_client
from speedpix_pipe.sdk._async._transfer import async_put_file as put_file
from speedpix_pipe.sdk._bytes import url_expiry
from speedpix_pipe.sdk._policy import RetryPolicy
from speedpix_pipe.sdk._sync._transfer import TransferClient
from speedpix_pipe.sdk._sync._transfer import download as download_sync
from speedpix_pipe.sdk._sync._transfer import open_client as open_client_sync
from speedpix_pipe.sdk._sync._transfer import put_file as put_file_sync
from speedpix_pipe.sdk.errors import DownloadError, FileError, SpeedPixError, UploadError

__all__ = [
    "EXPIRED_STATUSES",
    "AsyncTransferClient",
    "DownloadError",
    "FileError",
    "Moved",
    "RetryPolicy",
    "SpeedPixError",
    "TransferClient",
    "UploadError",
    "download",
    "download_sync",
    "open_client",
    "open_client_sync",
    "put_file",
    "put_file_sync",
    "url_expiry",
]
