"""A parent that keeps a lock, starts a pool and waits to be killed. Run as a script by test_pool."""

import asyncio
import fcntl
import sys
from pathlib import Path

from speedpix_pipe.executors.pool import PixelPool


async def main(lock: str, picture: str) -> None:
    with Path(lock).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        pool = PixelPool(1)
        await pool.run("inspect", (picture,))
        (process,) = pool._pool._processes.values()
        print(process.pid, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
