"""Signals: the first asks to stop, the second to leave now."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from speedpix_pipe.interrupts import SIGNALS, asked


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

    before = {}
    for number in SIGNALS:
        handler = signal.getsignal(number)
        if number is signal.SIGHUP and handler is signal.SIG_IGN:
            continue
        try:
            loop.add_signal_handler(number, caught)
            before[number] = handler
        except (ValueError, RuntimeError, NotImplementedError):
            break  # not the main thread: whoever started us there stops us otherwise
    if asked():
        caught()
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # else it is not Python's
                signal.signal(number, handler)  # the loop leaves the system's own, which would end us by the signal
        for task in stopping:
            task.cancel()
