"""Where the command begins: the terminal is made safe for any name, then `cli` takes over."""

import sys

from speedpix_pipe.cli import main as command


def main() -> int:
    """What `speedpix-pipe` runs. A name that the terminal cannot show must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # text streams of this process
    return command()


if __name__ == "__main__":
    sys.exit(main())
