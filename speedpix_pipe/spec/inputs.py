"""A step's `input` as written: which texts name files, and whether the fields fit the contract.

Everything known before a run is judged here, with its place; what expressions yield is judged at run time by
`contracts`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from speedpix_pipe.files import names_object, resolve
from speedpix_pipe.files.storage import STORAGES
from speedpix_pipe.model import (
    Entry,
    Expression,
    Field,
    FileText,
    ListOf,
    Literal,
    MapOf,
    Param,
    Pipeline,
    Template,
    Text,
)
from speedpix_pipe.spec.contracts import BadSchemaError, about, check_for, described, kind_in_words
from speedpix_pipe.spec.draft import Draft
from speedpix_pipe.spec.nearest import did_you_mean, nearest
from speedpix_pipe.spec.object_urls import check_object_url
from speedpix_pipe.spec.places import Node

_FILE_BEGINNINGS = ("./", "../", "/", "~/")
_URL_BEGINNINGS = ("http://", "https://", "data:")
_PICTURES = ("image", "images")  # what an image step takes
_PARAM_ALONE = re.compile(r"params\.(\w+)")
FITS: Mapping[str, frozenset[str]] = {  # the type of a param or a result → the fields that may take its value
    "string": frozenset({"string", "file"}),  # a text may be a URL
    "integer": frozenset({"integer", "number"}),
    "number": frozenset({"number", "integer"}),
    "boolean": frozenset({"boolean"}),
    "array": frozenset({"array", "files"}),
    "object": frozenset({"object", "file"}),
    "file": frozenset({"file"}),
    "files": frozenset({"files"}),
}


def build_input(
    draft: Draft, node: Node, fields: Mapping[str, Field] | None, params: Mapping[str, Param], owner: str
) -> MapOf:
    """The `input` of a step. `fields` is the contract of what the step calls, `owner` its name in messages."""
    written = draft.mapping(node, lambda place, template: as_file(draft, place, template))
    if fields is None:
        return written
    entries = []
    for entry in written.entries:
        place, field = node.members[entry.name], fields.get(entry.name)
        if field is None:
            hint = did_you_mean(entry.name, fields) or (
                f"its inputs: {', '.join(fields)}" if fields else "its contract lists no input at all"
            )
            draft.add(
                node.keys[entry.name].problem("spec.unknown-input", f'{owner} has no input "{entry.name}"', hint=hint)
            )
            entries.append(entry)
            continue
        value = entry.value
        if field.type in {"file", "files"}:
            value = as_files(draft, place, value, field.type)
        _check_written(draft, place, value, field, params, owner)
        entries.append(Entry(entry.name, value, entry.mark))
    return MapOf(tuple(entries), written.mark)


def params_as_fields(pipeline: Pipeline) -> dict[str, Field]:
    """A sub-pipeline's params are its contract."""
    return {
        name: Field(name, param.type, param.schema, param.mark, required=param.required)
        for name, param in pipeline.params.items()
    }


def build_pictures(draft: Draft, node: Node, written: MapOf, params: Mapping[str, Param]) -> MapOf:
    """The `input` of an image step: `image` or `images`, which are files whoever declares them."""
    entries = []
    for entry in written.entries:
        key, place = node.keys[entry.name], node.members[entry.name]
        if entry.name not in _PICTURES:
            hint = did_you_mean(entry.name, _PICTURES) or "it takes image or images"
            draft.add(key.problem("spec.unknown-input", f'an image step has no input "{entry.name}"', hint=hint))
            entries.append(entry)
            continue
        value = as_files(draft, place, entry.value, "file")
        _check_pictures(draft, place, value, params)
        entries.append(Entry(entry.name, value, entry.mark))
    given = [name for name, place in node.members.items() if name in _PICTURES and place.value is not None]
    if len(given) > 1:
        message = "an image step takes image or images, and here are both"
        draft.add(node.keys[given[1]].problem("spec.value", message, hint="put all pictures into images"))
    return MapOf(tuple(entries), written.mark)


def _check_pictures(draft: Draft, node: Node, template: Template, params: Mapping[str, Param]) -> None:
    if isinstance(template, ListOf):
        for place, item in zip(node.items, template.items, strict=True):
            _check_pictures(draft, place, item, params)
        return
    given = None
    if isinstance(template, Literal) and template.value is not None:
        given = described(template.value)
    elif isinstance(template, MapOf):
        given = "a mapping"
    elif isinstance(template, Expression):
        match = _PARAM_ALONE.fullmatch(template.normal)
        param = params.get(match[1]) if match else None
        if param is not None and param.type in {"string", "integer", "number", "boolean"}:
            given = f"the param {param.name}, which is {kind_in_words(param.type)}"
    if given is not None:
        hint = "name a file, or use steps.X.file, steps.X.files or file('...')"
        draft.add(node.problem("spec.input-type", f"an image step works on files, not on {given}", hint=hint))


def check_required(
    draft: Draft, step_key: Node, input_key: Node | None, node: Node | None, fields: Mapping[str, Field], owner: str
) -> None:
    """Fields that must be given and are not; a null counts as not given."""
    given = {} if node is None else node.members
    for name in (name for name, field in fields.items() if field.required):
        if name in given and given[name].value is not None:
            continue
        if nearest(name, (other for other in given if other not in fields)):
            continue  # it is there, misspelled, and said so
        place = given.get(name, input_key or step_key)
        draft.add(
            place.problem(
                "spec.missing-input", f"{owner} needs the input {name}", hint=f"add `{name}:` to the step's input"
            )
        )


# --- files ---


def as_file(draft: Draft, node: Node, template: Template) -> Template:
    """A text that begins like a path, or like the URL of an object, is a file."""
    if not isinstance(template, Literal | Text) or not isinstance(node.value, str):
        return template
    if not node.value.startswith(_FILE_BEGINNINGS) and not _is_object(node.value):
        return template
    return _file(draft, node, template)


def as_files(draft: Draft, node: Node, template: Template, kind: str) -> Template:
    """For a field that the contract calls a file, any text written in the spec is one, unless it is a URL."""
    if node.is_list and isinstance(template, Literal | ListOf):
        items = template.items if isinstance(template, ListOf) else [Literal(n.value, n.mark) for n in node.items]
        pairs = zip(node.items, items, strict=True)
        return ListOf(tuple(as_files(draft, place, item, "file") for place, item in pairs), template.mark)
    if not isinstance(template, Literal | Text) or not isinstance(node.value, str):
        return template
    if node.value.lower().startswith(_URL_BEGINNINGS):
        return template
    if kind == "files":
        return template
    return _file(draft, node, template)


def _is_object(text: str) -> bool:
    return "://" in text and text.partition("://")[0].lower() in STORAGES


def _file(draft: Draft, node: Node, template: Literal | Text) -> FileText:
    if names_object(node.value):
        if isinstance(template, Literal):
            check_object_url(draft, node, node.value)
    elif draft.check_files and isinstance(template, Literal):
        check_exists(draft, node, node.value)
    return FileText(template, template.mark)


def check_exists(draft: Draft, node: Node, written: str) -> None:
    """A file that the spec names must be there; a wrong name gets the nearest one of its folder."""
    try:
        path = resolve(written, draft.folder)
        if path.is_file():
            return
        what = (
            "is a folder, not a file"
            if path.is_dir()
            else "is a device or a pipe"
            if path.exists()
            else "does not exist"
        )
        hint = None if path.exists() else _nearest_file(path)
    except (OSError, ValueError, RuntimeError):
        what, hint = "cannot be found", None
    draft.add(node.problem("spec.no-file", f"the file {written} {what}", hint=hint))


def _nearest_file(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent.name} either"
    names = sorted(entry.name for entry in path.parent.iterdir())[:2000]
    return did_you_mean(path.name, names)


# --- types ---


def _check_written(
    draft: Draft, node: Node, template: Template, field: Field, params: Mapping[str, Param], owner: str
) -> None:
    """What can be known about a value before the run, against the contract's field."""
    wrong: list[str] = []
    hint = None
    match template:
        case Literal(value=value):
            if value is None:
                return
            try:
                wrong = check_for(field.type, field.schema)(value)
            except BadSchemaError:
                return  # said where the field is declared
            if field.type == "string" and isinstance(value, bool | int | float):
                hint = f'as a text it needs quotes: "{node.written()}"'
            elif field.type == "files" and isinstance(value, str):
                hint = f"write ${{{{ glob('{value}') }}}} for a pattern, or [{value}] for one file"
        case FileText():
            if field.type not in {None, "file"}:
                wrong = [f"must be {kind_in_words(field.type)}; a text that begins like a path names a file"]
                hint = f"to send it as a text: ${{{{ '{node.value}' }}}}" if field.type == "string" else None
        case Text():
            wrong, hint = _check_joined(field)
        case ListOf() if field.type not in {None, "array", "files"}:
            wrong = [f"must be {kind_in_words(field.type)}, not a list"]
        case MapOf() if field.type not in {None, "object", "file"}:
            wrong = [f"must be {kind_in_words(field.type)}, not a mapping"]
        case Expression(normal=normal):
            wrong = _check_param(normal, field, params)
        case _:
            pass
    for said in wrong:
        draft.add(node.problem("spec.input-type", about(f"{owner}: {field.name}", said), hint=hint))


def _check_joined(field: Field) -> tuple[list[str], str | None]:
    if field.type in {None, "string", "file", "files"}:
        return [], None
    return (
        [f"must be {kind_in_words(field.type)}; text around an expression makes a text"],
        "an expression that stands alone keeps its type: ${{ ... }}",
    )


def check_param_kind(
    draft: Draft, node: Node, template: Template | None, params: Mapping[str, Param], field: str, wanted: str
) -> None:
    """A field that wants a list (or true or false) and is given a param alone that never is one."""
    match = _PARAM_ALONE.fullmatch(template.normal) if isinstance(template, Expression) else None
    param = params.get(match[1]) if match else None
    if param is None or param.type == wanted or (param.type, wanted) == ("files", "array"):
        return
    hint = f"declare {param.name} with `type: files`" if (param.type, wanted) == ("file", "array") else None
    message = f"{field} must be {kind_in_words(wanted)}; the param {param.name} is {kind_in_words(param.type)}"
    draft.add(node.problem("spec.param-kind", message, hint=hint))


def _check_param(normal: str, field: Field, params: Mapping[str, Param]) -> list[str]:
    match = _PARAM_ALONE.fullmatch(normal)
    param = params.get(match[1]) if match else None
    if param is None or field.type is None or field.type in FITS[param.type]:
        return []
    return [f"must be {kind_in_words(field.type)}; the param {param.name} is {kind_in_words(param.type)}"]
