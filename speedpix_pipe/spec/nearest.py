"""Did-you-mean: the valid name that a wrong one is nearest to."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option that `name` was most likely meant to be, or None where nothing is near."""
    candidates = list(options)
    folded = _fold(name)
    for option in candidates:
        if _fold(option) == folded:
            return option
    if len(name) > 64:  # difflib's time grows with the square, and nobody types such a name
        return None
    from difflib import get_close_matches

    by_fold = {_fold(option): option for option in reversed(candidates[:2000])}
    found = get_close_matches(folded, by_fold, n=1, cutoff=0.6 if len(folded) > 3 else 0.5)
    return by_fold[found[0]] if found else None


def did_you_mean(name: str, options: Iterable[str]) -> str | None:
    """`did you mean "x"?` or None."""
    found = nearest(name, options)
    return f'did you mean "{found}"?' if found else None


def listed(options: Iterable[str], *, most: int = 12) -> str:
    """`a, b or c`, cut where there are very many."""
    names = list(options)
    if len(names) > most:
        return ", ".join(names[:most]) + " ..."
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _fold(name: str) -> str:
    return name.replace("-", "_").replace(" ", "_").casefold()
