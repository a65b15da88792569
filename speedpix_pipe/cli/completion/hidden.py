"""The hidden command `__complete SHELL WORDS...` that the shells' scripts call. It never fails and never writes."""

from __future__ import annotations

from collections.abc import Sequence


def complete(arguments: Sequence[str]) -> int:
    from speedpix_pipe.cli.completion.candidates import candidates
    from speedpix_pipe.cli.completion.shells import answer, words_of

    if len(arguments) < 2 or (arguments[0] == "bash" and len(arguments) < 3):
        return 1
    shell, given = arguments[0], arguments[1:]
    words = words_of(shell, given) or [""]
    try:
        lines = answer(shell, given, words[-1], candidates(words))
    except (OSError, ValueError):  # a file that went away meanwhile: there is nothing to offer
        return 1
    for line in lines:
        if line.isprintable() or "\t" in line:
            print(line)
    return 0
