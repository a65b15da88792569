"""Peak memory against an object's size: hashed, fetched, uploaded to the service and published.

    python tests/bench/objects.py [--mib 64,1024] [--smoke]

Each size and way has a process of its own. The store is a server that makes up what it sends and swallows what it is
sent, holding neither; a sparse file stands for a result that is published.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import process
from process import HERE, PYTHON
from table import Report, Verdict

MIB = 1024 * 1024
MOST = 32.0  # MiB that an object of any size may add
BASE = 1  # MiB: what the others are compared with
WAYS = ("digest", "fetch", "upload", "publish")


def serve() -> None:
    """`/shop/in/SIZE` is an object of so many zeros; what is put is nowhere, until its parts are completed."""
    from aiohttp import web

    made: dict[str, int] = {}
    sent: dict[str, int] = {}

    def facts(size: int) -> dict[str, str]:
        return {"ETag": f'"{size}"', "Last-Modified": "Mon, 30 Nov 2026 05:00:00 GMT", "Accept-Ranges": "bytes"}

    async def swallow(request: web.BaseRequest) -> int:
        if "Expect" in request.headers:  # who sends much asks first
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = 0
        async for block in request.content.iter_any():
            size += len(block)
        return size

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        key, query = request.path.removeprefix("/shop/"), request.query_string
        if request.method == "POST" and not request.path.startswith("/shop/"):
            await request.read()
            url = f"http://{request.host}/up/x.bin"
            ticket = {"uploadUrl": url, "accessUrl": url, "objectKey": "x", "expireTime": 4_102_444_800_000}
            return web.json_response({"status": 10, "data": ticket})
        if request.method == "PUT":
            sent[key] = sent.get(key, 0) + await swallow(request)
            if "partNumber" not in query:
                made[key] = sent.pop(key)
                return web.Response(headers={"ETag": f'"{made[key]}"'})
            return web.Response(headers={"ETag": '"part"'})
        if request.method == "POST":
            await request.read()
            name = "InitiateMultipartUploadResult" if query == "uploads" else "CompleteMultipartUploadResult"
            if query != "uploads":
                made[key] = sent.pop(key)
            etag = f'<ETag>"{made.get(key)}"</ETag>'
            text = f"<{name}><Bucket>shop</Bucket><Key>{key}</Key><UploadId>one</UploadId>{etag}</{name}>"
            return web.Response(text=text, content_type="application/xml")
        size = int(key.rpartition("/")[2]) if key.startswith("in/") else made.get(key)
        if size is None:
            return web.Response(status=404)
        if request.method == "HEAD":
            return web.Response(headers={**facts(size), "Content-Length": str(size)})
        first, _, last = request.headers.get("Range", f"bytes=0-{size - 1}").removeprefix("bytes=").partition("-")
        body = bytes(int(last) - int(first) + 1)
        status = 206 if "Range" in request.headers else 200
        return web.Response(
            status=status, body=body, headers={**facts(size), "Content-Range": f"bytes {first}-{last}/{size}"}
        )

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(web.Server(handle, access_log=None), "127.0.0.1", 0)
        print(listening.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)

    asyncio.run(main())


def carry(told: dict) -> None:
    """One object one way, in this process."""
    from speedpix_pipe.files import ObjectUrl
    from speedpix_pipe.files.storage import open_storage
    from speedpix_pipe.files.storage.bytes import fetch_object, sha256_of_object

    storage, size, folder = open_storage("s3"), told["size"], Path(told["folder"])
    if told["way"] == "publish":
        source = folder / "made.bin"
        with source.open("wb") as file:
            file.truncate(size)
        digest = hashlib.sha256(bytes(size)).hexdigest() if size <= 8 * MIB else "0" * 64  # of parts none is sent
        entry = storage.put(
            source, ObjectUrl("s3://shop/out/made.bin"), sha256=digest, media_type="video/mp4", over=None
        )
        assert entry.size >= size
        return
    entry = storage.look(ObjectUrl(f"s3://shop/in/{size}"))
    assert entry is not None
    match told["way"]:
        case "digest":
            sha256_of_object(entry)
        case "fetch":
            fetch_object(entry, folder / "copy.bin")
            (folder / "copy.bin").unlink()
        case _:
            asyncio.run(_upload(told["url"], entry))


async def _upload(url: str, entry: object) -> None:
    from speedpix_pipe.sdk import AsyncSpeedPix
    from speedpix_pipe.steps.carrying import streamed

    async with AsyncSpeedPix("k", "s", url) as client:
        assert (await streamed(client, entry, "x.mp4", "video/mp4")).size == entry.size


def measured(base: str, folder: Path, way: str, mib: int) -> process.Spent:
    told = {"url": base, "folder": str(folder), "size": mib * MIB, "way": way}
    store = {
        "AWS_ENDPOINT_URL": base,
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return process.run([PYTHON, str(HERE / "objects.py"), "carry", json.dumps(told)], env=store)


def main(arguments: Sequence[str] | None = None) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", default="64,1024")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    sizes = [64] if options.smoke else [int(size) for size in options.mib.split(",")]
    report = Report("objects", smoke=options.smoke)
    with tempfile.TemporaryDirectory() as name, process.serving("objects.py") as base:
        rows = []
        for way in WAYS:
            floor = measured(base, Path(name), way, BASE).peak_mb
            for mib in sizes:
                spent = measured(base, Path(name), way, mib)
                row = {"way": way, "MiB": mib, "peak MB": spent.peak_mb, f"beyond {BASE} MiB": spent.peak_mb - floor}
                rows.append(row | {"CPU s": spent.cpu})
    report.table("peak memory while one object moves", rows)
    for row in rows:
        if row["MiB"] == sizes[-1]:
            report.judge(Verdict(f"{row['MiB']} MiB, {row['way']}", row[f"beyond {BASE} MiB"], MOST, "MB more"))
    report.save()
    return report


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["carry", told]:
            carry(json.loads(told))
        case _:
            main()
