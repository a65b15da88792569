"""Case files: found beside their spec, read with the same YAML as specs, checked against a schema of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, cast

import jsonschema_rs

from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.app.specs import source_of
from speedpix_pipe.errors import Problem, SpecError, UsageError
from speedpix_pipe.model import Json, Mark
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.build import has_errors
from speedpix_pipe.spec.load import load_source, read_bytes
from speedpix_pipe.spec.nearest import did_you_mean
from speedpix_pipe.spec.places import Node

SUFFIX = ".test.yaml"
SCHEMA = "test.v1.schema.json"
MOST_PROBLEMS = 50
_SHARED = ("files", "env", "params", "workflows")


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of a run. `places` knows where each part stands in the file, `node` where all of it does."""

    node: Node
    parts: Mapping[str, Any]

    def mark(self, *path: str | int) -> Mark:
        """The place of a part; of the nearest one above it where it has none."""
        node, mark = self.node, self.node.mark
        for part in path:
            if isinstance(part, str) and part in node.members:
                node, mark = node.members[part], node.keys[part].mark
            elif isinstance(part, int) and part < len(node.items):
                node = node.items[part]
                mark = node.mark
            else:
                break
        return mark


@dataclass(frozen=True, slots=True)
class Case:
    """One run and what it must come to."""

    name: str
    mark: Mark
    folder: Path  # of the case file: `copy` of a file begins there
    copy: Sequence[str]
    files: Mapping[str, Json]
    env: Mapping[str, str]
    params: Mapping[str, Json]
    workflows: Mapping[str, Sequence[Mapping[str, Any]]]
    only: Sequence[str]
    start_from: Sequence[str]
    expect: Expected
    again: Expected | None


def schema_text() -> str:
    """The JSON Schema of case files, for editors: from the wheel, else from the checkout beside the package."""
    package = Path(__file__).parents[2]
    inside = package / "schemas" / SCHEMA
    return (inside if inside.is_file() else package.parent / "schemas" / SCHEMA).read_text(encoding="utf-8")


def case_files(path: Path) -> list[tuple[Path, Path]]:
    """Specs with their case files: those of a spec, of all specs below a folder, or the one that is named itself.

    UsageError where there are none.
    """
    if path.is_dir():
        found = [(_spec_of(one), one) for one in sorted(path.rglob(f"*{SUFFIX}"))]
    elif path.name.endswith(SUFFIX) and path.is_file():
        found = [(_spec_of(path), path)]
    elif path.is_file():
        siblings = sorted(one for one in path.parent.glob(f"*{SUFFIX}") if one.is_file())
        found = [(path, one) for one in siblings if _belongs(one, path)]
    else:
        raise UsageError(f"there is no spec {path.name}", code="usage.no-spec")
    if not found:
        where = "no case files below it" if path.is_dir() else f"no {path.stem}{SUFFIX} beside it"
        hint = "docs/testing.md shows how a case is written"
        raise UsageError(f"{path.name} has no cases: there is {where}", code="usage.no-cases", hint=hint)
    return found


def _belongs(path: Path, spec: Path) -> bool:
    named = _named_spec(path)
    return named == spec.resolve() if named is not None else path.name.startswith(f"{spec.stem}.")


def _spec_of(path: Path) -> Path:
    """The spec of a case file: what its `spec` says, else the longest beginning of its name that is one."""
    named = _named_spec(path)
    if named is not None:
        return named
    stem = path.name.removesuffix(SUFFIX)
    while stem:
        for suffix in (".yaml", ".yml"):
            if (path.parent / f"{stem}{suffix}").is_file():
                return path.parent / f"{stem}{suffix}"
        stem = stem.rpartition(".")[0]
    raise UsageError(
        f"{path.name}: there is no spec of that name beside it",
        code="usage.no-spec",
        hint="name the file after its spec, or say `spec: ./NAME.yaml` in it",
    )


def _named_spec(path: Path) -> Path | None:
    """What a case file's `spec` says; None where it says nothing, or cannot be read (which is said later)."""
    try:
        _, root, _ = load_source(read_bytes(path), path.name)
    except OSError:
        return None
    named = root.members.get("spec") if root is not None else None
    return (path.parent / named.value).resolve() if named is not None and isinstance(named.value, str) else None


def case_file_problems(request: SpecRequest) -> list[Problem]:
    """What is wrong with a case file, for `validate`."""
    read = source_of(request) or read_bytes
    try:
        return _checked(read(request.cwd / request.spec), str(request.spec))[1]
    except OSError:
        return [Problem(str(request.spec), 1, 1, "spec.unreadable", "the file cannot be read")]


def read_cases(path: Path, shown: str) -> list[Case]:
    """The cases of one file. SpecError with everything that is wrong with it."""
    root, problems = _checked(read_bytes(path), shown)
    if root is None:
        raise SpecError(problems)
    return [_case(root, node, path.parent) for node in root.members["cases"].items]


def _checked(content: bytes, shown: str) -> tuple[Node | None, list[Problem]]:
    """The root of a case file, None where something is wrong."""
    source, root, problems = load_source(content, shown)
    if root is None and not has_errors(problems):
        problems = [source.problem(0, "test.empty", "the file is empty")]
    elif root is not None and not has_errors(problems):
        problems = [*problems, *islice(_schema_problems(root), MOST_PROBLEMS)]
    return (None if has_errors(problems) else root), problems


def _case(root: Node, node: Node, folder: Path) -> Case:
    shared = {name: root.value.get(name, {}) | node.value.get(name, {}) for name in _SHARED}
    rules = {name: given if isinstance(given, list) else [given] for name, given in shared["workflows"].items()}
    again = node.members.get("again")
    return Case(
        name=node.value["name"],
        mark=node.mark,
        folder=folder,
        copy=root.value.get("copy", []),
        files=shared["files"],
        env=shared["env"],
        params=shared["params"],
        workflows=rules,
        only=node.value.get("only", []),
        start_from=node.value.get("from", []),
        expect=_expected(node.members["expect"]),
        again=_expected(again) if again is not None else None,
    )


def _expected(node: Node) -> Expected:
    return Expected(node, node.value)


# --- the schema ---


@cache
def _schema() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(schema_text())
    return found


def _schema_problems(root: Node) -> Iterator[Problem]:
    for error in jsonschema_rs.Draft7Validator(dict(_schema())).iter_errors(root.value):
        yield from _explained(root, error)


def _explained(root: Node, error: jsonschema_rs.ValidationError) -> Iterator[Problem]:
    path = list(error.instance_path)
    node = _at(root, path)
    keyword, kind = str(error.schema_path[-1]), cast("Any", error.kind)
    meant = _meant(error, kind) if keyword == "oneOf" else []
    if meant:
        for inner in meant:
            yield from _explained(root, inner)
    elif keyword == "additionalProperties":
        yield from _unknown_keys(node, _part(error.schema_path[:-1]))
    elif keyword == "required":
        yield node.problem("test.missing", f"{kind.property} is missing here")
    else:
        name = next((str(part) for part in reversed(path) if isinstance(part, str)), "the file")
        yield node.problem("test.value", f"{name}: {_sentence(error, keyword, _part(error.schema_path))}")


def _part(path: Sequence[str | int]) -> Any:
    found: Any = _schema()
    for part in path:
        found = found[part]
    return found


def _meant(error: jsonschema_rs.ValidationError, kind: Any) -> list[jsonschema_rs.ValidationError]:
    """Of several forms, the errors of the only one that has the right type."""
    own = len(error.instance_path)
    fitting = [
        branch
        for branch in getattr(kind, "context", ())
        if not any(str(one.schema_path[-1]) == "type" and len(one.instance_path) == own for one in branch)
    ]
    return list(fitting[0]) if len(fitting) == 1 else []


def _unknown_keys(node: Node, owner: Mapping[str, Any]) -> Iterator[Problem]:
    known = list(owner.get("properties", ()))
    for name, key in node.keys.items():
        if name not in known and not name.startswith("x-"):
            hint = did_you_mean(name, known) or f"known keys: {', '.join(known)}"
            yield key.problem("test.unknown-key", f'unknown key "{name}"', hint=hint)


def _sentence(error: jsonschema_rs.ValidationError, keyword: str, wanted: Any) -> str:
    match keyword:
        case "enum":
            return f"must be one of {', '.join(json.dumps(value) for value in wanted)}"
        case "const":
            return f"must be {wanted}"
        case "oneOf" if all("required" in form for form in wanted):
            return f"exactly one of {' and '.join(form['required'][0] for form in wanted)} is needed"
        case "oneOf":
            return "this is none of the forms that may stand here"
        case _:
            return error.message


def _at(root: Node, path: Sequence[str | int]) -> Node:
    node = root
    for part in path:
        node = node.items[part] if isinstance(part, int) else node.members[part]
    return node
