"""The live view of a run on a terminal, redrawn at most eight times a second however many events there are.

Events only change the tally; a thread of its own looks at it and draws what `frame` makes of it, so that time
goes on while nothing happens and a burst of a thousand events costs one redraw. Where the terminal changes its
size the screen is cleared once: what the terminal made of the old lines cannot be known.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from speedpix_pipe.console.base import Ink
from speedpix_pipe.console.frame import draw_frame
from speedpix_pipe.events import Event, RunFinished
from speedpix_pipe.summary import Tally

if TYPE_CHECKING:
    from rich.live import Live

REDRAW_SECONDS = 1 / 8
USUAL_SIZE = (80, 24)


class LiveView:
    """A subscriber that shows the tally. `tally` must see each event first: the app subscribes it before this.

    The view begins with the first event and leaves no trace when it closes; the closing summary follows it.
    """

    def __init__(
        self,
        tally: Tally,
        stream: TextIO,
        *,
        color: bool = True,
        language: str = "en",
        clock: Callable[[], float] = time.monotonic,
        size: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._tally = tally
        self._stream = stream
        self._ink = Ink(color, language)
        self._clock = clock
        self._size = size or (lambda: _terminal_size(stream))
        self._unicode = (getattr(stream, "encoding", "") or "").lower().replace("-", "").startswith("utf")
        self._began = clock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None
        self._drawn: tuple[tuple[int, int], list[str]] | None = None

    def __call__(self, event: Event) -> None:
        if self._thread is None and not isinstance(event, RunFinished):
            import rich.live  # noqa: F401  # here, so that what is missing is told by the caller's thread

            self._thread = threading.Thread(target=self._draw_on, name="live-view", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw_on(self) -> None:
        self._draw()
        while not self._stop.wait(REDRAW_SECONDS):
            self._draw()

    def _draw(self) -> None:
        from rich.text import Text

        size = self._size()
        columns, lines = size
        frame = draw_frame(
            self._tally,
            width=max(20, columns - 1),  # the last column stays free: some terminals wrap when it is written
            height=max(3, lines - 2),
            elapsed_seconds=self._clock() - self._began,
            ink=self._ink,
            unicode=self._unicode,
        )
        if self._drawn == (size, frame):
            return
        if self._live is None or self._drawn is None or self._drawn[0] != size:
            self._live = self._open(size)
        self._drawn = (size, frame)
        self._live.update(Text.from_ansi("\n".join(frame), no_wrap=True, overflow="crop"), refresh=True)

    def _open(self, size: tuple[int, int]) -> Live:
        from rich.console import Console
        from rich.live import Live

        if self._live is not None:
            self._live.stop()
            self._live.console.clear()
        console = Console(
            file=self._stream,
            force_terminal=True,
            legacy_windows=False,
            width=size[0],
            height=size[1],
            no_color=not self._ink.color,
            color_system="standard" if self._ink.color else None,
            highlight=False,
        )
        # Nothing else on stderr may tear the view apart; results on stdout are no business of ours.
        live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=self._stream is sys.stderr,
        )
        live.start()
        return live


def _terminal_size(stream: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return USUAL_SIZE
    return (size.columns or USUAL_SIZE[0], size.lines or USUAL_SIZE[1])
