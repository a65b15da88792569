"""Peak memory against file size: up, down and through `run`'s input, on both faces of the SDK.

    python tests/bench/memory.py [--mib 64,2048] [--smoke]

Each size and direction has a process of its own. The file is sparse, so the disk holds none of it on the way up. The
server reads what it is sent and sends zeros, holding neither.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import process
from process import HERE, PYTHON
from table import Report, Verdict

MIB = 1024 * 1024
MOST = 32.0  # MiB that a file of any size may add
BASE = 1  # MiB: what the others are compared with


def serve() -> None:
    """PUT swallows, GET /SIZE sends so many zeros, a POST for a ticket is answered; nothing is held."""
    from aiohttp import web

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "PUT":
            size = 0
            async for block in request.content.iter_any():
                size += len(block)
            assert size == request.content_length
            return web.Response()
        if request.method == "POST":
            await request.read()
            url = f"http://{request.host}/up/x.bin"
            ticket = {"uploadUrl": url, "accessUrl": url, "objectKey": "x", "expireTime": 4_102_444_800_000}
            return web.json_response({"status": 10, "data": ticket})
        size = int(request.path.rpartition("/")[2])
        response = web.StreamResponse(headers={"Content-Length": str(size), "Content-Type": "video/mp4"})
        await response.prepare(request)
        block = bytes(MIB)
        for start in range(0, size, MIB):
            await response.write(block[: min(MIB, size - start)])
        return response

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(web.Server(handle, access_log=None), "127.0.0.1", 0)
        print(listening.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)

    asyncio.run(main())


def transfer(told: dict) -> None:
    """One file in one direction on one face, in this process."""
    from speedpix_pipe.sdk import AsyncSpeedPix, SpeedPix
    from speedpix_pipe.sdk import transfer as moving

    path, base, size = Path(told["path"]), told["url"], told["size"]
    url, target = f"{base}/{size}", path.with_name("arrived.bin")

    async def coroutines() -> int:
        if told["way"] == "up":
            async with AsyncSpeedPix("k", "s", base) as client:
                return (await client.files.create(path)).size
        async with moving.open_client() as http:
            return (await moving.download(http, url, target)).size

    def threads() -> int:
        if told["way"] == "up":
            with SpeedPix("k", "s", base) as client:
                return client.files.create(path).size
        with moving.open_client_sync() as http:
            return moving.download_sync(http, url, target).size

    moved = threads() if told["face"] == "threads" else asyncio.run(coroutines())
    target.unlink(missing_ok=True)
    assert moved == size


def measured(base: str, folder: Path, face: str, way: str, mib: int) -> process.Spent:
    path = folder / f"{mib}.bin"
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    told = {"url": base, "path": str(path), "size": mib * MIB, "face": face, "way": way}
    return process.run([PYTHON, str(HERE / "memory.py"), "transfer", json.dumps(told)])


def main(arguments: Sequence[str] | None = None) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", default="64,2048")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    sizes = [8] if options.smoke else [int(size) for size in options.mib.split(",")]
    report = Report("memory", smoke=options.smoke)
    with tempfile.TemporaryDirectory() as name, process.serving("memory.py") as base:
        rows = []
        for face in ("async", "threads"):
            for way in ("up", "down"):
                floor = measured(base, Path(name), face, way, BASE).peak_mb
                for mib in sizes:
                    spent = measured(base, Path(name), face, way, mib)
                    row = {"face": face, "way": way, "MiB": mib, "peak MB": spent.peak_mb}
                    rows.append(row | {f"beyond {BASE} MiB": spent.peak_mb - floor, "MiB/s": mib / spent.wall})
    report.table("peak memory while one file moves", rows)
    for row in rows:
        if row["MiB"] == sizes[-1]:
            what = f"{row['MiB']} MiB {row['way']}, {row['face']}"
            report.judge(Verdict(what, row[f"beyond {BASE} MiB"], MOST, "MB more"))
    report.save()
    return report


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["transfer", told]:
            transfer(json.loads(told))
        case _:
            main()
