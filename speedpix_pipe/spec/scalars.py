"""What an unquoted YAML scalar means: the 1.2 core schema, to the letter.

PyYAML's own constructors follow YAML 1.1 (`017` is 15, `on` is true), so they are not used. Durations and rates,
which are texts to YAML, are read here too.
"""

from __future__ import annotations

import re

_WORDS: dict[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_FIRST = frozenset("0123456789+-.~nNtTfF")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_LONGEST_NUMBER = 400

# Nine digits are enough for anybody, and no number becomes infinite.
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)/(s|m|h)")


class NotFiniteError(ValueError):
    """The scalar writes an infinite number, or none."""


def core_value(text: str) -> object:
    """The value of a plain scalar. Raises NotFiniteError for `.inf`, `.nan` and numbers too large to hold."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            raise NotFiniteError(text)
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise NotFiniteError(text)
        return number
    if _OCTAL.fullmatch(text) and len(text) <= _LONGEST_NUMBER:
        return int(text, base=8)
    if _HEXADECIMAL.fullmatch(text) and len(text) <= _LONGEST_NUMBER:
        return int(text, base=16)
    if _NOT_FINITE.fullmatch(text):
        raise NotFiniteError(text)
    return text


def has_leading_zero(text: str) -> bool:
    """True for `017`: YAML 1.2 reads 17, YAML 1.1 read 15, and who wrote it may have meant a text."""
    return _LEADING_ZERO.fullmatch(text) is not None


def parse_duration(text: str) -> float | None:
    """Seconds of `1m30s`, or None where the text is no duration."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def parse_rate(text: str) -> float | None:
    """Per second: 20.0 for `20/s`; None where the text is no rate."""
    match = _RATE.fullmatch(text)
    return float(match[1]) / _SECONDS[match[2]] if match else None
