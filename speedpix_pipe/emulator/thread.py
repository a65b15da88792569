"""The emulator in a thread with a loop of its own, for `run --local` and for tests of synchronous code."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from speedpix_pipe.emulator.clock import Clock
from speedpix_pipe.emulator.faults import Fault
from speedpix_pipe.emulator.options import EmulatorOptions
from speedpix_pipe.emulator.server import Emulator

__all__ = ["EmulatorThread"]

T = TypeVar("T")
_START_SECONDS = 30.0


class EmulatorThread:
    """`with EmulatorThread(options) as emulator: emulator.url`; every method may be called from any thread."""

    def __init__(self, options: EmulatorOptions | None = None, *, clock: Clock | None = None) -> None:
        self.options = options or EmulatorOptions()
        self._clock = clock
        self._ready: Future[tuple[Emulator, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._main, name="speedpix-emulator", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Returns once requests are answered; what stopped it from starting is raised here."""
        self._thread.start()
        self._ready.result(_START_SECONDS)

    def close(self) -> None:
        if self._thread.is_alive():
            _, loop, stop = self._ready.result(0)
            loop.call_soon_threadsafe(stop.set)
            self._thread.join()

    @property
    def url(self) -> str:
        return self._ready.result(0)[0].url

    @property
    def counters(self) -> dict[str, Any]:
        return self._call(lambda emulator: emulator.counters)

    def predictions(self) -> list[dict[str, Any]]:
        return self._call(lambda emulator: emulator.predictions())

    def add_fault(self, fault: Fault) -> None:
        self._call(lambda emulator: emulator.add_fault(fault))

    def clear_faults(self) -> None:
        self._call(lambda emulator: emulator.clear_faults())

    def reset(self) -> None:
        self._call(lambda emulator: emulator.reset())

    def _call(self, ask: Callable[[Emulator], T]) -> T:
        emulator, loop, _ = self._ready.result(0)
        answer: Future[T] = Future()
        loop.call_soon_threadsafe(lambda: answer.set_result(ask(emulator)))
        return answer.result(_START_SECONDS)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:  # the port is taken
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        stop = asyncio.Event()
        async with Emulator(self.options, clock=self._clock) as emulator:
            self._ready.set_result((emulator, asyncio.get_running_loop(), stop))
            await stop.wait()
