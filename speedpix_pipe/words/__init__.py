"""Everything that people read from us in more than one language, each word with its languages side by side.

A room's words are a module here: `gallery`, `live`, `terminal`. A word that lacks a language cannot be written down.
Messages of errors and problems are said in English where they arise and again by `messages` where they are shown.
Everything in JSON, in logs and in the journal stays English: programs and searches rely on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

LANGUAGES = ("en", "zh")
ROOMS = ("gallery", "live", "terminal")


@cache
def words_for(room: str, language: str) -> Mapping[str, str]:
    """The words of a room in a language; in English where we do not speak it."""
    place = LANGUAGES.index(language) if language in LANGUAGES else 0
    pairs: Mapping[str, tuple[str, ...]] = import_module(f"{__name__}.{room}").WORDS
    return {name: words[place] for name, words in pairs.items()}
