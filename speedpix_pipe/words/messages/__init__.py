"""Messages of ours in the reader's language: errors, problems of a spec, hints, warnings.

They are raised in English, where what went wrong is known, and stay English in JSON, in logs and in the journal:
programs and searches rely on them. Where they are shown to people they are recognised here and said again. So nobody
who raises an error has to know a language, and one catalogue holds all of them: English as the code says it,
`<name>` for what is filled in, `<name*>` for what is filled in and is itself ours: a sentence, or one of `phrases`.

What is not recognised (the service's own words, the system's) is shown as it came. A test reads the code and fails
where a message has no entry here, or an entry no message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cache, lru_cache
from importlib import import_module

from speedpix_pipe.records import dataclass

ROOMS = ("yaml", "spec", "expressions", "values", "usage", "running", "surroundings")
PHRASES = "phrases"
GAP = re.compile(r"<([a-z_]+)(\*?)>")
PLACE = re.compile(r"\S[^\n]*?:\d+:\d+: ")  # of a problem in a file
PROSE = re.compile(r"\b[a-z]{2,} [a-z]+ [a-z]{2,}\b")
_SURE = 12  # letters of ours, from which on what is filled in may read like a sentence
_MOST_PARTS = 12


def translated(text: str, language: str) -> str:
    """A message of ours, or several joined as we join them, in the language; anything else as it is."""
    return _in_chinese(text) if language == "zh" else text


@dataclass(slots=True)
class _Saying:
    """One message: what it looks like in English, and how it goes in Chinese."""

    english: str
    chinese: str
    literals: list[str] = field(init=False)
    gaps: dict[str, bool] = field(init=False)  # by name: is what stands there a phrase of ours?
    _pattern: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        pieces = GAP.split(self.english)
        self.literals = [piece for piece in pieces[::3] if piece]
        self.gaps = dict(zip(pieces[1::3], [star == "*" for star in pieces[2::3]], strict=True))

    @property
    def weight(self) -> int:
        """The more of a text is ours, the surer it is this one."""
        return sum(map(len, self.literals))

    def fill(self, text: str) -> str | None:
        if not all(piece in text for piece in self.literals):
            return None
        if self._pattern is None:
            self._pattern = _pattern(self.english)
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        given = {name: _inside(match[name]) if ours else match[name] for name, ours in self.gaps.items()}
        if self.weight < _SURE and any(PROSE.search(value) for value in given.values()):
            return None  # of words as common as `is not set` something else was the beginning
        return GAP.sub(lambda gap: given[gap[1]], self.chinese)


def _pattern(english: str) -> re.Pattern[str]:
    """What is filled in never runs over into the next sentence, nor at the beginning over whose matter it is."""
    pieces, seen, made = GAP.split(english), set[str](), ""
    for number in range(0, len(pieces), 3):
        made += re.escape(pieces[number])
        if number + 1 < len(pieces):
            name, ours = pieces[number + 1], pieces[number + 2]
            ends = "; " if made else "; |: "
            anything = ".+?" if ours else f"(?:(?!{ends}).)+?"
            made += f"(?P={name})" if name in seen else f"(?P<{name}>{anything})"
            seen.add(name)
    return re.compile(made, re.DOTALL)


@cache
def catalogue() -> Mapping[str, str]:
    """All sentences."""
    found: dict[str, str] = {}
    for room in ROOMS:
        found.update(_room(room))
    return found


def _room(name: str) -> Mapping[str, str]:
    sayings: Mapping[str, str] = import_module(f"{__name__}.{name}").SAYINGS
    return sayings


@cache
def _sentences() -> list[_Saying]:
    return _by_weight(catalogue())


@cache
def _phrases_and_sentences() -> list[_Saying]:
    return _by_weight({**catalogue(), **_room(PHRASES)})


def _by_weight(sayings: Mapping[str, str]) -> list[_Saying]:
    return sorted((_Saying(*pair) for pair in sayings.items()), key=lambda saying: -saying.weight)


@lru_cache(maxsize=4096)
def _in_chinese(text: str) -> str:
    if at := PLACE.match(text):
        return f"{at[0]}{_in_chinese(text[at.end() :])}"
    return _said(text) or _joined(text) or _placed(text) or text


@lru_cache(maxsize=4096)
def _inside(text: str) -> str:
    """What is filled in where a phrase or a sentence of ours may stand."""
    return _first(_phrases_and_sentences(), text) or _in_chinese(text)


def _said(text: str) -> str | None:
    return _first(_sentences(), text)


def _first(sayings: Iterable[_Saying], text: str) -> str | None:
    return next((found for saying in sayings if (found := saying.fill(text)) is not None), None)


def _joined(text: str) -> str | None:
    """Sentences in a row: each for itself, if we know any of them."""
    for joint, ours in (("\n", "\n"), ("; ", "；")):
        parts = text.split(joint)
        if 1 < len(parts) <= _MOST_PARTS:
            said = [_in_chinese(part) for part in parts]
            if said != parts:
                return ours.join(said)
    return None


def _placed(text: str) -> str | None:
    """`step white: must be a text`: whose matter it is, and a sentence of ours about it."""
    at = text.find(": ")
    while at >= 0:
        rest = _said(text[at + 2 :]) or _joined(text[at + 2 :])
        if rest is not None:
            return f"{_said(text[:at]) or text[:at]}：{rest}"
        at = text.find(": ", at + 1)
    return None
