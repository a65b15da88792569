"""Where the command begins: the terminal is made safe for any name, then `cli` takes over."""

import gc
import io
import os
import sys

from speedpix_pipe.cli import main as command

INTERRUPTED = 130
_ALLOCATIONS = 20_000  # between looks for garbage in circles: a run keeps much and makes little of it


def main() -> int:
    """What `speedpix-pipe` runs. Neither a name that the terminal cannot show nor a closed stream must end a run."""
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # text streams of this process
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    try:
        if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
            _as_ctrl_c()
        code = command()
    except KeyboardInterrupt:  # while the first modules were being read
        code = INTERRUPTED
    if code == INTERRUPTED:
        _deaf()
    return code


def _nowhere(mode: str) -> io.TextIOWrapper:
    """In place of a stream that was closed before we began (`>&-`, some schedulers).

    It takes the lowest free descriptor, which is that of the stream: no journal may ever lie there.
    """
    return io.TextIOWrapper(io.FileIO(os.devnull, mode), encoding="utf-8")


def _as_ctrl_c() -> None:
    """Until a run has begun, and in all that is no run, being asked to end is Ctrl-C: told, with our exit code.

    Not by Python's own handler: asyncio takes that one for its own, and then waits for what blocks. A hang-up that is
    ignored (`nohup`) stays so; a shell's `&` ignores Ctrl-C too, and there `kill -INT` is meant all the same.
    """
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def _deaf() -> None:
    """A second Ctrl-C while the interpreter leaves must not turn our exit code into a death by signal."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
