"""Our SDK: `async`, `threads`, or `async` over another transport (`httpx-aiohttp`, `plain-httpx`) for comparison."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from work import KEY, SECRET, Work, read_work

MOST_READS = 1e6  # the ceiling of polls protects the service; here it would only hide what is measured


def transport(face: str) -> Any:
    import httpx

    if face == "plain-httpx":
        return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=96, max_keepalive_connections=96))
    if face == "httpx-aiohttp":
        from httpx_aiohttp import AiohttpTransport

        return AiohttpTransport(limits=httpx.Limits(max_connections=96))
    return None


async def coroutines(work: Work) -> None:
    from speedpix_pipe.sdk import AsyncSpeedPix

    slots, uploads, downloads = (asyncio.Semaphore(width) for width in (work.flight, 8, 16))
    async with AsyncSpeedPix(
        KEY, SECRET, work.url, transport=transport(work.face), max_reads_per_second=MOST_READS
    ) as client:

        async def one(source: Path) -> None:
            async with uploads:
                file = await client.files.create(source)
            async with slots:
                prediction = await client.predictions.create("w", {"image": file})
                await prediction.wait(polling_interval=None if work.latency else 0)
            async with downloads:
                await prediction.output["images"]["url"].save(work.target / source.name)

        await asyncio.gather(*(one(source) for source in work.sources))


def threads(work: Work) -> None:
    from speedpix_pipe.sdk import SpeedPix

    with SpeedPix(KEY, SECRET, work.url, max_reads_per_second=MOST_READS) as client:

        def one(source: Path) -> None:
            prediction = client.predictions.create("w", {"image": client.files.create(source)})
            prediction.wait(polling_interval=None if work.latency else 0)
            prediction.output["images"]["url"].save(work.target / source.name)

        with ThreadPoolExecutor(work.flight) as pool:
            list(pool.map(one, work.sources))


if __name__ == "__main__":
    given = read_work()
    if given.face == "threads":
        threads(given)
    else:
        asyncio.run(coroutines(given))
