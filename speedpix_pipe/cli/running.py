"""What `run` and `runs redo` share: a run is carried out, shown while it goes on, and told when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedpix_pipe.cli.output import Terminal, here, plain_ink, print_json, program, say, terminal
from speedpix_pipe.interrupts import SIGNALS

if TYPE_CHECKING:
    from speedpix_pipe.app.one_run import RunOutcome, Subscribe
    from speedpix_pipe.cli.logs import LogFile
    from speedpix_pipe.console.base import Subscriber
    from speedpix_pipe.summary import Tally

REFUSED = 3
_M_ARENA_MAX = -8  # of glibc's malloc.h
_ALLOCATIONS = 2_000  # between looks for garbage in circles: a run keeps much and makes little of it
Start = Callable[["Subscribe"], Coroutine[Any, Any, "RunOutcome"]]


def carry_out(start: Start, state_folder: Path, *, log_format: str, as_json: bool) -> int:
    """Progress and the closing words to stderr, results to stdout; the exit code."""
    from speedpix_pipe.cli.logs import LogFile

    screen = terminal()
    look_after_memory()
    with LogFile(state_folder) as log:
        outcome = asyncio.run(start(partial(_subscribers, screen, log_format)))
    with _undisturbed():
        _tell(outcome, screen, log, log_format=log_format, as_json=as_json)
    return outcome.exit_code


def look_after_memory() -> None:
    """For who works for long: from here on there may be garbage, and threads begin."""
    gc.freeze()  # what was imported is no garbage, and never looked through again
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    _share_one_heap()


def _share_one_heap() -> None:
    """Let all threads take memory from one heap, where what one has let go of serves the next.

    glibc gives each its own, which keeps what was read there for the loop to send: 3 MB in a run of 500 predictions.
    """
    with contextlib.suppress(ImportError, AttributeError, OSError):  # another C library keeps house its own way
        import ctypes

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _tell(outcome: RunOutcome, screen: Terminal, log: LogFile, *, log_format: str, as_json: bool) -> None:
    summary = outcome.summary
    if log_format == "text":
        from speedpix_pipe.console.closing import render_closing

        command = f"{program()} report {summary.run_id}" if summary.total else None
        say(
            render_closing(
                summary,
                color=screen.color,
                width=screen.width,
                report=command,
                language=screen.language,
                program=program(),
                folder=here(),
            )
        )
    if log.path is not None:
        say(plain_ink().say("bug_inside", path=log.path))
    if as_json:
        from speedpix_pipe.summary import as_refused

        print_json((as_refused(summary) if outcome.exit_code == REFUSED else summary).to_json())
    elif not sys.stdout.isatty():
        _list_files([file.path for file in summary.files], Path(summary.spec_path).parent)


@contextmanager
def live(state_folder: Path, *, wanted: bool) -> Iterator[None]:
    """The live page beside a run, if somebody wants it. It ends with the run; `ui` shows the same again."""
    if not wanted:
        yield
        return
    from speedpix_pipe.app.live import live_page
    from speedpix_pipe.settings import load_settings

    with live_page(state_folder, language=load_settings().language) as page:
        say(plain_ink().say("live_page", link=page.link))
        yield


def question(*, yes: bool) -> Callable[[str], bool] | None:
    """How to ask before paying; None where nobody is there to answer, or the answer was given."""
    if yes or not terminal().live or not sys.stdin.isatty():
        return None

    from speedpix_pipe.console.base import wrap

    def ask(text: str) -> bool:
        with _ctrl_c_answers():
            print("\n".join(wrap(f"{text} [y/N]", terminal().width - 4)), end=" ", file=sys.stderr, flush=True)
            answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            say("")  # Ctrl-D leaves us in the line of the question
        return answer.strip().lower() in {"y", "yes", "是"}

    return ask


@contextmanager
def _ctrl_c_answers() -> Iterator[None]:
    """While we wait for an answer, Ctrl-C is one: asyncio's own would wait for us before it ends anything."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        say("")
        raise
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A further, impatient signal must not cut the summary off: the run has ended, what is left is a few lines."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not ours there
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, what in before.items():
            signal.signal(number, what)


def _subscribers(screen: Terminal, log_format: str, tally: Tally, _loaded: object) -> Sequence[Subscriber]:
    if log_format == "json":
        from speedpix_pipe.console.logs import JsonLines

        return [JsonLines(say)]
    if screen.live:
        from speedpix_pipe.console.progress import LiveView

        return [LiveView(tally, sys.stderr, color=screen.color, language=screen.language)]
    from speedpix_pipe.console.logs import PlainLines

    return [PlainLines(tally, say, language=screen.language)]


def _list_files(paths: Sequence[str], folder: Path) -> None:
    """Paths as they are to be written from here."""
    from speedpix_pipe.files.storage.urls import names_object

    here = Path.cwd()
    for path in dict.fromkeys(paths):
        if names_object(path):
            print(path)
            continue
        full = folder / path
        print(os.path.relpath(full, here) if full.is_relative_to(here) else full)
