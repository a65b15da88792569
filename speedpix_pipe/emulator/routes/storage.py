"""The bucket over HTTP: PUT to a ticket, GET of uploads and results, errors as an object store words them."""

import hashlib
from collections.abc import Callable

from aiohttp import web

from speedpix_pipe.emulator.envelope import storage_error
from speedpix_pipe.emulator.service import Service
from speedpix_pipe.emulator.storage import StoredObject

__all__ = ["get_object", "put_object"]

# The ticket's first PUT and one more: a client may repeat an upload whose answer it did not get.
_MAX_PUTS = 2


async def put_object(service: Service, request: web.BaseRequest) -> web.Response:
    content_type = request.headers.get("Content-Type", "")
    verdict = service.bucket.judge("PUT", request.raw_path, content_type, service.clock.now())
    if verdict.code:
        return storage_error(403, verdict.code, verdict.message)
    if request.content_length is None:
        return storage_error(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    stored = service.bucket.find(verdict.key)
    if stored is None:
        return storage_error(404, "NoSuchBucket", "The ticket belongs to an emulator that is gone.")
    if stored.puts >= _MAX_PUTS:
        return storage_error(409, "FileAlreadyExists", "The object you specified already exists.")
    return await _receive(service, request, stored)


async def _receive(service: Service, request: web.BaseRequest, stored: StoredObject) -> web.Response:
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    if service.options.fast:
        async for block in request.content.iter_chunked(1 << 18):
            size += len(block)
        stored.content = b""
    else:
        path = service.bucket.new_path()
        with path.open("wb") as target:  # blocks of a quarter megabyte into the page cache: no need of a thread
            async for block in request.content.iter_chunked(1 << 18):
                digest.update(block)
                target.write(block)
                size += len(block)
        stored.path = path
    stored.etag = digest.hexdigest().upper()
    stored.puts += 1
    service.counters["uploads"] += 1
    service.counters["upload_bytes"] += size
    return web.Response(status=200, headers={"ETag": f'"{stored.etag}"'})


async def get_object(service: Service, request: web.BaseRequest) -> web.Response:
    verdict = service.bucket.judge("GET", request.raw_path, "", service.clock.now())
    if verdict.code:
        return storage_error(403, verdict.code, verdict.message)
    stored = service.bucket.find(verdict.key)
    content = stored.read() if stored is not None else None
    if stored is None or content is None:
        return storage_error(404, "NoSuchKey", "The specified key does not exist.")
    return _serve(request, stored, content, lambda size: _count(service, size))


def _count(service: Service, size: int) -> None:
    service.counters["downloads"] += 1
    service.counters["download_bytes"] += size


def _serve(
    request: web.BaseRequest, stored: StoredObject, content: bytes, count: Callable[[int], None]
) -> web.Response:
    headers = {"Content-Type": stored.content_type, "Accept-Ranges": "bytes"}
    headers["ETag"] = f'"{stored.etag}"'
    asked = _range(request.headers.get("Range", ""), len(content))
    if asked is None:
        count(len(content))
        return web.Response(body=content, headers=headers)
    first, last = asked
    if first >= len(content):
        return storage_error(416, "InvalidRange", "The requested range cannot be satisfied.")
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    count(last + 1 - first)
    return web.Response(status=206, body=content[first : last + 1], headers=headers)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte asked for; None for everything, also where the header cannot be read."""
    unit, _, span = header.partition("=")
    first, dash, last = span.partition("-")
    if unit.strip() != "bytes" or not dash or "," in span:
        return None
    if first.isdigit() and (last == "" or (last.isdigit() and int(first) <= int(last))):
        return int(first), min(int(last), size - 1) if last else size - 1
    if first == "" and last.isdigit():
        return max(0, size - int(last)), size - 1
    return None
