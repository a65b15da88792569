"""Where the command begins: the terminal is made safe for any name, then `cli` takes over."""

import atexit
import gc
import io
import os
import sys

from speedpix_pipe.cli import main as command

INTERRUPTED = 130
_ALLOCATIONS = 100_000  # between looks for garbage in circles: what is imported is none


def main() -> int:
    """Carry out what was typed. Neither a name that the terminal cannot show nor a closed stream must end a run."""
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # text streams of this process
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    try:
        if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
            from speedpix_pipe.interrupts import as_ctrl_c

            as_ctrl_c()
        code = command()
    except KeyboardInterrupt:  # while the first modules were being read
        code = INTERRUPTED
    if code == INTERRUPTED:
        from speedpix_pipe.interrupts import deaf

        deaf()
    return code


def leave(code: int) -> None:
    """End the process with everything told and closed, but without taking the interpreter apart object by object: that
    is a tenth of a short command's time.
    """
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()  # who waits for processes of ours does that here
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # the interpreter says what could not be written
    os._exit(code)


def enter() -> None:
    """What `speedpix-pipe` runs."""
    leave(main())


def _nowhere(mode: str) -> io.TextIOWrapper:
    """In place of a stream that was closed before we began (`>&-`, some schedulers).

    It takes the lowest free descriptor, which is that of the stream: no journal may ever lie there.
    """
    return io.TextIOWrapper(io.FileIO(os.devnull, mode), encoding="utf-8")


if __name__ == "__main__":
    enter()
