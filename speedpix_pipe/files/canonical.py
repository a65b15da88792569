"""Canonical JSON: one byte string for all spellings of one value. Fingerprints and seeds are made from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from speedpix_pipe.model import Json

_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def canonical_json(value: Json) -> bytes:
    """Keys sorted, text untouched, integers in full, `1.0` as `1`. ValueError for NaN, TypeError for no JSON."""
    return _encode(_canonical(value)).encode("utf-8")


def _canonical(value: Json) -> Json:
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that JSON has")
        return int(value) if value.is_integer() else value
    if kind is dict or isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{key!r} is no name for an entry of a JSON object")
        return {key: _canonical(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(inner) for inner in value]
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{kind.__name__} is no JSON value")
