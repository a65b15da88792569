"""Signals: the first asks to stop, the second to leave now."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals(stop: Callable[[], Awaitable[None]], leave: Callable[[], None]) -> Iterator[None]:
    """While inside: `stop()` is started by the first signal, `leave()` called by every further one.

    A hang-up that is ignored (`nohup`) stays so: whoever asked for that wants us to outlive the terminal.
    """
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Future[None]] = []

    def caught() -> None:
        if stopping:
            leave()
        else:
            stopping.append(asyncio.ensure_future(stop()))

    installed = []
    for number in SIGNALS:
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        try:
            loop.add_signal_handler(number, caught)
            installed.append(number)
        except (ValueError, RuntimeError, NotImplementedError):
            break  # not the main thread: whoever started us there stops us otherwise
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
        for task in stopping:
            task.cancel()
