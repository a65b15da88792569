"""The official SDK 1.0.4, as its README uses it, in its own virtual environment: `async` or `threads`."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import speedpix
from work import KEY, SECRET, Work, read_work


async def coroutines(work: Work) -> None:
    slots = asyncio.Semaphore(work.flight)
    async with speedpix.Client(KEY, SECRET, work.url) as client:

        async def one(source: Path) -> None:
            async with slots:
                output = await client.async_run("w", {"image": str(source)})
                await output["images"]["url"].async_save(str(work.target / source.name))

        await asyncio.gather(*(one(source) for source in work.sources))


def threads(work: Work) -> None:
    with speedpix.Client(KEY, SECRET, work.url) as client:

        def one(source: Path) -> None:
            client.run("w", {"image": str(source)})["images"]["url"].save(str(work.target / source.name))

        with ThreadPoolExecutor(work.flight) as pool:
            list(pool.map(one, work.sources))


if __name__ == "__main__":
    given = read_work()
    if given.face == "threads":
        threads(given)
    else:
        asyncio.run(coroutines(given))
