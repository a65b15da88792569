"""Tasks that do nothing, on asyncio by hand: `fan N` or `chain N`. Results by name, and no more than 64 at once."""

from __future__ import annotations

import asyncio
import sys


async def fan(count: int) -> None:
    gate, results = asyncio.Semaphore(64), {}

    async def one(number: int) -> None:
        async with gate:
            await asyncio.sleep(0)
            results[f"one@{number}"] = {"n": number}

    await asyncio.gather(*(one(number) for number in range(count)))
    assert len(results) == count


async def chain(count: int) -> None:
    value: dict[str, int] = {"n": -1}
    for _ in range(count):
        await asyncio.sleep(0)
        value = {"n": value["n"] + 1}


if __name__ == "__main__":
    asyncio.run({"fan": fan, "chain": chain}[sys.argv[1]](int(sys.argv[2])))
