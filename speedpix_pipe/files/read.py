"""`read()`: what a file holds, by the end of its name. Tables become lists of objects, anything else its text."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path, PurePosixPath
from typing import NoReturn

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.model import Json

READ_LIMIT = 64 * 1024 * 1024
_YAML_REPEATED = 200_000


def read_file(path: Path, shown: str) -> Json:
    """The value of a CSV, TSV, JSON, YAML or JSONL file, else its text. FileNotFoundError if there is none."""
    with path.open("rb") as file:
        data = file.read(READ_LIMIT + 1)
    if len(data) > READ_LIMIT:
        raise too_large(shown)
    return parse_file(data, path.name, shown)


def too_large(shown: str) -> ExpressionError:
    return ExpressionError(f"{shown} is over 64 MB, the most that read() takes", code="files.read")


def parse_file(data: bytes, name: str, shown: str) -> Json:
    """The value of bytes that stand under this name."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExpressionError(
            f"{shown} is not UTF-8 (byte {error.start})", code="files.read", hint="save it as UTF-8"
        ) from None
    parse = _PARSERS.get(PurePosixPath(name).suffix.lower())
    if parse is None:
        return text
    try:
        return parse(text)
    except (ValueError, csv.Error, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ExpressionError(f"{shown}: {why}", code="files.read") from None


def _json(text: str) -> Json:
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number that JSON has")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _json_lines(text: str) -> Json:
    values = []
    for at, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                values.append(_json(line))
            except ValueError as error:
                raise ValueError(f"line {at}: {error}") from None
    return values


def _comma_table(text: str) -> Json:
    return _table(text, ",")


def _tab_table(text: str) -> Json:
    return _table(text, "\t")


def _table(text: str, delimiter: str) -> Json:
    """A list of objects whose values are text; the first line names the columns, a cell left out is empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = next((row for row in reader if row), None)
    if header is None:
        raise ValueError("no line that names the columns")
    names = [name.strip() for name in header]
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise ValueError(f"two columns named {twice!r}")
    rows = []
    for row in reader:
        if len(row) > len(names):
            raise ValueError(f"line {reader.line_num}: {len(row)} cells under {len(names)} columns")
        if row:
            rows.append(dict(zip(names, row + [""] * (len(names) - len(row)), strict=True)))
    return rows


def _yaml(text: str) -> Json:
    from speedpix_pipe.files._plain_yaml import plain_yaml

    return plain_yaml(text, _YAML_REPEATED)


_PARSERS = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _comma_table,
    ".tsv": _tab_table,
    ".yaml": _yaml,
    ".yml": _yaml,
}
