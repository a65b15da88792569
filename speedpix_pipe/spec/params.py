"""Values of params: from `-p NAME=VALUE`, from a params file, from the defaults in the spec.

The command line wins over the file, the file over the default. A default is only looked at where it is used. Files are
found through the `FileAccess` that the caller brings; a relative path belongs to the place where it was written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

from speedpix_pipe.errors import ExpressionError, PipeError, Problem
from speedpix_pipe.files import FileValue, has_magic, names_object, resolve
from speedpix_pipe.files.storage import secret_in
from speedpix_pipe.model import Json, Mark, Param, Pipeline
from speedpix_pipe.spec.contracts import BadSchemaError, about, check_for, kind_in_words
from speedpix_pipe.spec.load import load_source, read_bytes
from speedpix_pipe.spec.nearest import did_you_mean, nearest
from speedpix_pipe.spec.places import Node

_FILE_TYPES = frozenset({"file", "files"})


class Unknown(Enum):
    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return self.name


UNKNOWN: Final = Unknown.UNKNOWN  # the value of a param that was not given, under `validate`


class Files(Protocol):
    """How files are found: by pattern, or by name."""

    def glob(self, pattern: str, folder: Path) -> Sequence[FileValue]: ...

    def file(self, path: Path, folder: Path) -> FileValue: ...

    def objects(self, text: str, *, many: bool) -> Sequence[FileValue] | None:
        """The objects that a URL or a pattern of URLs names; None where objects are not looked at."""
        ...


class _WrongError(Exception):
    """A value that its param does not take, said without the param's name."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def resolve_params(
    pipeline: Pipeline,
    given: Mapping[str, Sequence[str]],
    params_file: Path | None = None,
    *,
    cwd: Path,
    files: Files,
    unknown_ok: bool = False,
    skip: AbstractSet[str] = frozenset(),
    patterns: list[tuple[str, Path]] | None = None,
) -> tuple[dict[str, Any], list[Problem]]:
    """The value of every param, and what is wrong with what was given.

    `given` are the texts of `-p` by name. With `unknown_ok` a param without a value is UNKNOWN and no problem.
    Files of the params in `skip` are not looked for: a watched folder fills them later. `patterns`, if given, gets
    those that were asked for, each with the folder that it is written in.
    """
    resolution = _Resolution(pipeline, files, cwd, skip)
    resolution.refuse_unknown(given)
    in_file = resolution.read_file(params_file) if params_file is not None else {}
    values = {
        name: resolution.value(param, given.get(name), in_file.get(name), unknown_ok=unknown_ok)
        for name, param in pipeline.params.items()
    }
    if patterns is not None:
        patterns += resolution.patterns
    return values, resolution.problems


def raw_params(arguments: Sequence[str]) -> dict[str, list[str]]:
    """`NAME=VALUE` texts by name, in order; a text without `=` stands under its whole self with no value."""
    given: dict[str, list[str]] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        given.setdefault(name, []).extend([value] if equals else [])
    return given


class _Resolution:
    def __init__(self, pipeline: Pipeline, files: Files, cwd: Path, skip: AbstractSet[str]) -> None:
        self._pipeline = pipeline
        self._files = files
        self._cwd = cwd
        self._skip = skip
        self._file_folder = cwd
        self.problems: list[Problem] = []
        self.patterns: list[tuple[str, Path]] = []

    # --- where values come from ---

    def refuse_unknown(self, given: Mapping[str, Sequence[str]]) -> None:
        params = self._pipeline.params
        for name, values in given.items():
            if name not in params:
                hint = did_you_mean(name, params) or _known(params)
                self._said(f"-p {name}", "usage.unknown-param", f'no param "{name}" in {self._pipeline.shown}', hint)
            elif not values:
                self._said(f"-p {name}", "usage.param", f"-p {name} has no value", f"write -p {name}=VALUE")

    def read_file(self, path: Path) -> Mapping[str, Node]:
        """The params file, YAML or JSON, with the place of every value."""
        shown = str(path)
        path = self._cwd / path
        self._file_folder = path.parent
        try:
            data = read_bytes(path)
        except OSError as error:
            self._said(shown, "usage.params-file", f"the params file cannot be read: {error.strerror or error}", None)
            return {}
        _, root, problems = load_source(data, shown)
        self.problems += problems
        if root is None:
            return {}
        if not root.is_map:
            self.problems.append(root.problem("usage.params-file", "a params file is a mapping of names to values"))
            return {}
        for name, key in root.keys.items():
            if name not in self._pipeline.params:
                hint = did_you_mean(name, self._pipeline.params) or _known(self._pipeline.params)
                message = f'no param "{name}" in {self._pipeline.shown}'
                self.problems.append(key.problem("usage.unknown-param", message, hint=hint))
        return root.members

    def value(self, param: Param, texts: Sequence[str] | None, node: Node | None, *, unknown_ok: bool) -> Any:
        place: str | None = f"-p {param.name}" if texts else None
        try:
            if texts:
                self._note_patterns(param, list(texts), self._cwd)
                return self._checked(param, self._from_texts(param, texts))
            if node is not None:
                self._note_patterns(param, node.value, self._file_folder)
                return self._checked(param, self._from_value(param, node.value, self._file_folder))
            if not param.required:
                return self._default(param)
        except _WrongError as wrong:
            self._wrong(param, place, node, wrong)
            return UNKNOWN
        if not unknown_ok and param.name not in self._skip:
            self._missing(param)
        return UNKNOWN

    def _note_patterns(self, param: Param, value: Json, folder: Path) -> None:
        texts = value if isinstance(value, list) else [value]
        if param.type == "files":
            self.patterns += [(text, folder) for text in texts if isinstance(text, str) and has_magic(text)]

    def _default(self, param: Param) -> Any:
        if param.default is None or (param.name in self._pipeline.unused_params and param.type in _FILE_TYPES):
            return None  # nobody asks for it, so its files are not looked for
        try:
            return self._checked(param, self._from_value(param, param.default, self._pipeline.folder))
        except _WrongError:
            if param.type in _FILE_TYPES and _names_files(param.default) and secret_in(str(param.default)) is None:
                raise
            return UNKNOWN  # a wrong value; said where the param is declared

    # --- values ---

    def _from_texts(self, param: Param, texts: Sequence[str]) -> Any:
        """Texts of the command line: as they are for strings, patterns for files, JSON for all else."""
        if param.type == "files":
            return self._find(param, texts, self._cwd)
        if param.type == "array" and len(texts) > 1:
            return list(texts) if _holds_texts(param) else [_element(text) for text in texts]
        if len(texts) > 1:
            article = "an" if param.type[0] in "aio" else "a"
            raise _WrongError(f"is given {len(texts)} times, and {article} {param.type} has one value")
        if param.type == "string":
            return texts[0]
        if param.type == "file":
            return self._find_one(param, texts[0], self._cwd)
        return _json(param, texts[0])

    def _from_value(self, param: Param, value: Json, folder: Path) -> Any:
        if value is None:
            return None
        if param.type == "file":
            if not isinstance(value, str):
                raise _WrongError("must be a path")
            return self._find_one(param, value, folder)
        if param.type == "files":
            texts = [value] if isinstance(value, str) else value
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise _WrongError("must be a path, a pattern or a list of them")
            return self._find(param, texts, folder)
        return value

    def _checked(self, param: Param, value: Any) -> Any:
        """The JSON Schema keywords beside the type."""
        if value is UNKNOWN:
            return value
        if value is None:
            if param.required:
                raise _WrongError("is null, and it has no default")
            return None
        try:
            wrong = check_for(param.type, param.schema)(value)
        except BadSchemaError:
            return value  # a problem of the spec, and said there
        if wrong:
            raise _WrongError(wrong[0])
        return value

    # --- files ---

    def _find(self, param: Param, texts: Sequence[str], folder: Path) -> Any:
        """All files of all paths and patterns, each once, in the order in which they are named."""
        if param.name in self._skip:
            return UNKNOWN
        if len(texts) == 1:
            values = self._matches(param, texts[0], folder)
            return values if values is UNKNOWN else list(values)  # one pattern finds nothing twice
        found: dict[FileValue, None] = {}
        unknown = False
        for text in texts:
            values = self._matches(param, text, folder)
            unknown = unknown or values is UNKNOWN
            for value in () if values is UNKNOWN else values:
                found.setdefault(value)
        return UNKNOWN if unknown else list(found)

    def _matches(self, param: Param, text: str, folder: Path) -> Any:
        if names_object(text):
            return self._objects(param, text)
        try:
            if not has_magic(text) or resolve(text, folder).is_file():
                return [self._find_one(param, text, folder)]
            matched = self._files.glob(text, folder)
        except PipeError as error:
            raise _WrongError(error.message, error.hint) from None
        except (OSError, ValueError) as error:
            raise _WrongError(f"{text}: {error}") from None
        if not matched and not param.allow_empty:
            raise _WrongError(
                f"the pattern {text} matches no file in {folder}", "`allow_empty: true` on the param allows none"
            )
        return matched

    def _objects(self, param: Param, text: str, *, many: bool = True) -> Any:
        try:
            matched = self._files.objects(text, many=many and has_magic(text))
        except ExpressionError as error:
            raise _WrongError(error.message, error.hint) from None
        if matched is None:
            return UNKNOWN
        if not matched and not param.allow_empty:
            raise _WrongError(f"the pattern {text} matches no object", "`allow_empty: true` on the param allows none")
        return matched

    def _find_one(self, param: Param, text: str, folder: Path) -> Any:
        if param.name in self._skip:
            return UNKNOWN
        if names_object(text):
            found = self._objects(param, text, many=False)
            return found if found is UNKNOWN else found[0]
        path = resolve(text, folder)
        try:
            if path.is_file():
                return self._files.file(path, self._pipeline.folder)
            if path.exists() and not path.is_dir():
                raise _WrongError(f"{text} is a device or a pipe, not a file")
            if path.is_dir():
                hint = f"{text.rstrip('/')}/* names the files in it" if param.type == "files" else None
                raise _WrongError(f"{text} is a folder, not a file", hint)
            names = sorted(entry.name for entry in path.parent.iterdir())[:2000] if path.parent.is_dir() else []
        except (OSError, ValueError) as error:
            raise _WrongError(f"{text}: {error}") from None
        raise _WrongError(f"the file {text} does not exist in {folder}", did_you_mean(path.name, names))

    # --- problems ---

    def _wrong(self, param: Param, place: str | None, node: Node | None, wrong: _WrongError) -> None:
        message = _about(param.name, wrong)
        if place:
            self._said(place, "usage.param", message, wrong.hint)
        elif node is not None:
            self.problems.append(node.problem("usage.param", message, hint=wrong.hint))
        else:
            self._at(param.default_mark or param.mark, "spec.default", message, wrong.hint, width=_written_width(param))

    def _missing(self, param: Param) -> None:
        kind = kind_in_words(param.type)
        self._at(
            param.mark,
            "usage.missing-param",
            f"param {param.name} must be given: {kind}",
            f"add -p {param.name}={_EXAMPLES[param.type]}, or give it a default",
            width=len(param.name),
        )

    def _at(self, mark: Mark, code: str, message: str, hint: str | None, *, width: int) -> None:
        self.problems.append(Problem(mark.path, mark.line, mark.column, code, message, hint=hint, width=width))

    def _said(self, place: str, code: str, message: str, hint: str | None) -> None:
        """A problem of the command line has no line: it stands at the beginning of the argument."""
        self.problems.append(Problem(place, 1, 1, code, message, hint=hint))


_VERBS = ("must ", "is ", "has ", "lacks ")
_EXAMPLES = {
    "string": "TEXT",
    "integer": "5",
    "number": "0.5",
    "boolean": "true",
    "array": "'[1, 2]'",
    "object": "'{\"a\": 1}'",
    "file": "photo.jpg",
    "files": "'inbox/*.jpg'",
}


def _written_width(param: Param) -> int:
    """About how wide the default is written, where it is one text."""
    return len(param.default) if isinstance(param.default, str) else 1


def _names_files(default: Json) -> bool:
    return isinstance(default, str) or (isinstance(default, list) and all(isinstance(part, str) for part in default))


def _about(name: str, wrong: _WrongError) -> str:
    joint = " " if wrong.message.startswith(_VERBS) else ": "
    return about(f"param {name}", wrong.message, joint)


def _known(params: Mapping[str, Param]) -> str:
    return f"its params: {', '.join(params)}" if params else "it has no params"


def _json(param: Param, text: str) -> Json:
    try:
        value: Json = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        meant = nearest(text.strip(), ("true", "false")) if param.type == "boolean" else None
        hint = f"write -p {param.name}={meant or _EXAMPLES[param.type]}"
        raise _WrongError(f"must be {kind_in_words(param.type)} as JSON, not `{text[:60]}`", hint) from None
    return value


def _holds_texts(param: Param) -> bool:
    """Whether the elements of an array are strings, which are taken as they are: `1` may be an id."""
    items = param.schema.get("items")
    return isinstance(items, Mapping) and items.get("type") == "string"


def _element(text: str) -> Json:
    """One of several `-p` for an array: JSON where it is, else the text itself."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_constant(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def given_params(pipeline: Pipeline, given: Mapping[str, Any], *, files: Files) -> tuple[dict[str, Any], list[str]]:
    """Params of a sub-pipeline from ready values, defaults for the rest; and what is wrong, in sentences."""
    resolution = _Resolution(pipeline, files, pipeline.folder, frozenset())
    wrong = [f'{pipeline.shown} has no param "{name}"' for name in given if name not in pipeline.params]
    values: dict[str, Any] = {}
    for name, param in pipeline.params.items():
        try:
            if name in given:
                values[name] = resolution._checked(param, given[name])
            elif param.required:
                wrong.append(f"{pipeline.shown}: param {name} must be given")
            else:
                values[name] = resolution._default(param)
        except _WrongError as error:
            wrong.append(_about(name, error))
    return values, wrong
