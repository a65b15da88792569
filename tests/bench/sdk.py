"""CPU per prediction (upload, submit, poll, result, download) of the SDK against aiohttp written by hand.

    python tests/bench/sdk.py [--count 500] [--flight 64] [--latency 0] [--only hand,sdk,sync] [--profile]

A trivial server runs in a process of its own; each contender runs in a fresh process too. Ratios in one run mean
something, absolute times do not.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
import uuid
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SIZE = 200_000
KEY, SECRET = "204000001", "sp-test-secret-0123456789abcdef"


def serve(pipe, latency: float) -> None:
    from aiohttp import web

    born: dict[str, float] = {}
    picture = bytes(range(256)) * (SIZE // 256)
    counts = {"polls": 0, "requests": 0, "connections": 0}
    seen: set[int] = set()

    def envelope(data) -> web.Response:
        body = json.dumps(
            {
                "status": 10,
                "apiInvokeId": "i_1",
                "data": data,
                "errCode": None,
                "errMessage": None,
                "subErrCode": None,
                "subErrMessage": None,
            }
        )
        return web.Response(text=body, content_type="application/json")

    def count(request: web.Request) -> None:
        counts["requests"] += 1
        if id(request.transport) not in seen:
            seen.add(id(request.transport))
            counts["connections"] += 1

    async def sign(request):
        count(request)
        await request.read()
        name = uuid.uuid4().hex
        url = f"http://127.0.0.1:{port}/bucket/{name}?Expires=4102444800"
        return envelope(
            {"uploadUrl": url, "accessUrl": url, "objectKey": name, "path": name, "expireTime": 4102444800000}
        )

    async def put(request):
        count(request)
        async for _ in request.content.iter_any():
            pass
        return web.Response()

    async def submit(request):
        count(request)
        await request.read()
        task = uuid.uuid4().hex
        born[task] = time.monotonic()
        return envelope({"taskId": task, "status": "waiting", "estimatedDurationInSeconds": latency})

    async def progress(request):
        count(request)
        counts["polls"] += 1
        task = (await request.json())["taskId"]
        left = born[task] + latency - time.monotonic()
        status = "running" if left > 0 else "succeeded"
        return envelope({"taskId": task, "status": status, "progress": 0.5, "etaRelative": max(0.0, left)})

    async def result(request):
        count(request)
        task = (await request.json())["taskId"]
        url = f"http://127.0.0.1:{port}/bucket/{task}.jpg?Expires=4102444800"
        return envelope({"taskId": task, "status": "succeeded", "result": {"images": {"url": url, "type": "image"}}})

    async def get(request):
        count(request)
        return web.Response(body=picture, content_type="image/jpeg")

    async def tally(request):
        answer = dict(counts)
        seen.clear()
        for name in counts:
            counts[name] = 0
        return web.json_response(answer)

    async def main() -> None:
        nonlocal port
        app = web.Application(client_max_size=10**9)
        app.add_routes(
            [
                web.post("/scc/sp_create_temp_file_upload_sign", sign),
                web.post("/scc/comfy_prompt", submit),
                web.post("/scc/comfy_get_progress", progress),
                web.post("/scc/comfy_get_result", result),
                web.put("/bucket/{name}", put),
                web.get("/bucket/{name}", get),
                web.get("/tally", tally),
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        pipe.send(port)
        await asyncio.Event().wait()

    port = 0
    asyncio.run(main())


async def by_hand(port: int, source: Path, target: Path, count: int, flight: int, latency: float) -> None:
    import aiohttp

    base = f"http://127.0.0.1:{port}"

    def headers(path: str, body: bytes) -> dict[str, str]:
        now = time.time()
        media = "application/json; charset=utf-8"
        md5 = b64encode(hashlib.md5(body).digest()).decode()
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT+00:00", time.gmtime(now))
        nonce, stamp = str(uuid.uuid4()), str(int(now * 1000))
        text = (
            f"POST\n{media}\n{md5}\n{media}\n{date}\nx-ca-key:{KEY}\nx-ca-nonce:{nonce}\n"
            f"x-ca-signature-method:HmacSHA256\nx-ca-timestamp:{stamp}\n{path}"
        )
        signed = b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha256")).decode()
        return {
            "date": date,
            "x-ca-key": KEY,
            "x-ca-timestamp": stamp,
            "x-ca-nonce": nonce,
            "x-ca-signature-method": "HmacSHA256",
            "Content-Type": media,
            "Accept": media,
            "content-md5": md5,
            "x-ca-signature-headers": "x-ca-timestamp,x-ca-key,x-ca-nonce,x-ca-signature-method",
            "x-ca-signature": signed,
        }

    gate = asyncio.Semaphore(flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=96)) as session:

        async def call(path: str, body: dict) -> dict:
            raw = json.dumps(body).encode()
            async with session.post(base + path, data=raw, headers=headers(path, raw)) as response:
                return json.loads(await response.read())["data"]

        async def one(number: int) -> None:
            async with gate:
                ticket = await call(
                    "/scc/sp_create_temp_file_upload_sign",
                    {"contentType": "image/jpeg", "originalFilename": source.name},
                )
                body = source.read_bytes()
                hashlib.sha256(body).hexdigest()
                async with session.put(ticket["uploadUrl"], data=body, headers={"Content-Type": "image/jpeg"}) as done:
                    await done.read()
                task = (
                    await call(
                        "/scc/comfy_prompt",
                        {"workflow_id": "w", "alias_id": "main", "inputs": {"image": ticket["accessUrl"]}},
                    )
                )["taskId"]
                await asyncio.sleep(latency)
                while (await call("/scc/comfy_get_progress", {"taskId": task}))["status"] != "succeeded":
                    await asyncio.sleep(0.02)
                url = (await call("/scc/comfy_get_result", {"taskId": task}))["result"]["images"]["url"]
                digest = hashlib.sha256()
                async with session.get(url) as response:
                    with (target / f"{number}.jpg").open("wb") as file:
                        async for chunk in response.content.iter_any():
                            digest.update(chunk)
                            file.write(chunk)

        await asyncio.gather(*(one(number) for number in range(count)))


async def with_sdk(port: int, source: Path, target: Path, count: int, flight: int, latency: float, transport=None):
    from speedpix_pipe.sdk import AsyncSpeedPix

    gate = asyncio.Semaphore(flight)
    async with AsyncSpeedPix(
        KEY, SECRET, f"http://127.0.0.1:{port}", transport=transport, max_reads_per_second=1e6
    ) as client:

        async def one(number: int) -> None:
            async with gate:
                file = await client.files.create(source)
                prediction = await client.predictions.create("w", {"image": file})
                await prediction.wait(polling_interval=None if latency else 0)
                await prediction.output["images"]["url"].save(target / f"{number}.jpg")

        await asyncio.gather(*(one(number) for number in range(count)))


async def with_plain_httpx(*arguments):
    import httpx

    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=96, max_keepalive_connections=96))
    await with_sdk(*arguments, transport=transport)


async def with_httpx_aiohttp(*arguments):
    import httpx
    from httpx_aiohttp import AiohttpTransport

    await with_sdk(*arguments, transport=AiohttpTransport(limits=httpx.Limits(max_connections=96)))


def with_threads(port: int, source: Path, target: Path, count: int, flight: int, latency: float) -> None:
    from speedpix_pipe.sdk import SpeedPix

    with SpeedPix(KEY, SECRET, f"http://127.0.0.1:{port}", max_reads_per_second=1e6) as client:

        def one(number: int) -> None:
            file = client.files.create(source)
            prediction = client.predictions.create("w", {"image": file})
            prediction.wait(polling_interval=None if latency else 0)
            prediction.output["images"]["url"].save(target / f"{number}.jpg")

        with ThreadPoolExecutor(flight) as pool:
            list(pool.map(one, range(count)))


CONTENDERS = {
    "hand": by_hand,
    "sdk": with_sdk,
    "httpx-aiohttp": with_httpx_aiohttp,
    "plain-httpx": with_plain_httpx,
    "threads": with_threads,
}


def measure(pipe, name: str, arguments: tuple, profile: bool) -> None:
    contender = CONTENDERS[name]
    if name != "threads":
        __import__("aiohttp")
    __import__("speedpix_pipe.sdk")

    def go() -> None:
        made = contender(*arguments)
        if asyncio.iscoroutine(made):
            asyncio.run(made)

    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    if profile:
        import cProfile
        import pstats

        profiler = cProfile.Profile()
        profiler.runcall(go)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
    else:
        go()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pipe.send((cpu, time.perf_counter() - began, after.ru_maxrss / 1024))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="hand,sdk")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(theirs, options.latency), daemon=True)
    server.start()
    port = ours.recv()
    import urllib.request

    figures: dict[str, list[tuple]] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.jpg")
        source.write_bytes(b"\xff\xd8\xff" + bytes(range(256)) * (SIZE // 256))
        for _ in range(1 if options.profile else options.rounds):
            for name in options.only.split(","):
                end, other = spawn.Pipe()
                arguments = (port, source, Path(folder), options.count, options.flight, options.latency)
                process = spawn.Process(target=measure, args=(other, name, arguments, options.profile))
                process.start()
                other.close()
                cpu, wall, memory = end.recv()
                process.join()
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/tally") as answer:
                    tally = json.load(answer)
                figures.setdefault(name, []).append((cpu, wall, memory, tally))
    floor = None
    for name, rounds in figures.items():
        cpu = statistics.median(row[0] for row in rounds) * 1000 / options.count
        floor = floor or cpu
        last = rounds[-1]
        print(
            f"{name:14} {cpu:7.2f} ms CPU a prediction  {cpu / floor:5.2f} x  wall {statistics.median(r[1] for r in rounds):6.2f} s  "
            f"{last[2]:5.0f} MB  polls {last[3]['polls'] / options.count:.2f}  requests {last[3]['requests'] / options.count:.2f}  "
            f"connections {last[3]['connections']}"
        )


if __name__ == "__main__":
    main()
