"""A pipeline as JSON with everything merged in: kept with every run, printed by `plan --resolved`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from speedpix_pipe.model import (
    Expression,
    FileText,
    Json,
    ListOf,
    Literal,
    MapOf,
    Pipeline,
    Text,
)
from speedpix_pipe.plan.written import template_text

LEFT_OUT = frozenset(
    {"mark", "text", "path", "folder", "shown", "digest", "for_each_normal", "normal", "references", "names"}
)


def resolved_spec(pipeline: Pipeline) -> dict[str, Json]:
    """Every field with its value in force, expressions as text. No paths of this machine."""
    found: dict[str, Json] = _plain(pipeline)
    return found


def _plain(value: Any) -> Json:
    if isinstance(value, Expression | Text | Literal | FileText | ListOf | MapOf):
        return template_text(value)
    if is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in LEFT_OUT}
        return {name: inner for name, inner in plain.items() if inner not in (None, {}, [])}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
