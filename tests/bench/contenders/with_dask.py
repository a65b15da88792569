"""The same on Dask's threads."""

from __future__ import annotations

import sys

import dask


@dask.delayed
def one(number: int) -> int:
    return number


def main() -> None:
    count = int(sys.argv[2])
    if sys.argv[1] == "fan":
        dask.compute([one(number) for number in range(count)], scheduler="threads")
        return
    value = one(0)
    for _ in range(count - 1):
        value = one(value)
    dask.compute(value, scheduler="threads")


if __name__ == "__main__":
    main()
