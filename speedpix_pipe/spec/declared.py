"""What a spec declares beside its steps: params, workflows and their contracts, limits, watched folders."""

from __future__ import annotations

from collections.abc import Mapping

from speedpix_pipe.errors import Severity
from speedpix_pipe.model import Batch, Field, Json, Limits, Param, Watch, Workflow
from speedpix_pipe.settings import CREDENTIALS
from speedpix_pipe.spec.contracts import BadSchemaError, about, check_for
from speedpix_pipe.spec.draft import Draft, duration_of, flag_of, integer_of, member, number_of, text_of, texts_of
from speedpix_pipe.spec.nearest import did_you_mean
from speedpix_pipe.spec.object_urls import refuse_object
from speedpix_pipe.spec.places import Node
from speedpix_pipe.spec.scalars import parse_rate

_PARAM_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "file", "files"})
_PARAM_WORDS = frozenset({"type", "default", "description", "allow_empty"})
_FIELD_WORDS = frozenset({"type", "description", "default"})
_BUILT_IN = Limits()  # the built-in values
_BATCH = Batch()


# --- params ---


def build_params(draft: Draft, node: Node | None) -> dict[str, Param]:
    if node is None:
        return {}
    draft.refuse_expressions(node, "params")
    draft.check_names(node, "params")
    return {name: _param(draft, name, node.keys[name], declared) for name, declared in node.members.items()}


def _param(draft: Draft, name: str, key: Node, node: Node) -> Param:
    kind = text_of(member(node, "type"))
    written = node.value if node.is_map else {}
    schema = {word: value for word, value in written.items() if word not in _PARAM_WORDS}
    param = Param(
        name=name,
        type=kind if kind in _PARAM_TYPES else "string",
        schema=schema,
        mark=key.mark,
        required="default" not in node.members,
        default=written.get("default"),
        allow_empty=flag_of(member(node, "allow_empty")) or False,
        description=text_of(member(node, "description")),
        default_mark=node.members["default"].mark if "default" in node.members else None,
    )
    if kind in _PARAM_TYPES:
        _check_declaration(draft, f"param {name}", kind, schema, node)
        _check_default(draft, param, node)
    return param


def _check_declaration(draft: Draft, what: str, kind: str | None, schema: Mapping[str, Json], node: Node) -> None:
    """The JSON Schema keywords themselves."""
    if not schema or draft.is_reported(node):
        return
    try:
        check_for(kind, schema)
    except BadSchemaError as error:
        draft.add(
            node.problem("spec.bad-schema", f"{what}: its JSON Schema is not valid: {error}", hint=_nested_file(schema))
        )


def _nested_file(schema: Mapping[str, Json]) -> str | None:
    items = schema.get("items")
    if isinstance(items, dict) and items.get("type") in {"file", "files"}:
        return "a list of files is `type: files`"
    return None


def _check_default(draft: Draft, param: Param, node: Node) -> None:
    given = member(node, "default")
    if given is None or given.value is None:
        return
    if param.type in {"file", "files"}:
        wrong = _file_default(param.type, given.value)
    else:
        try:
            wrong = check_for(param.type, param.schema)(given.value)
        except BadSchemaError:
            return
    for said in wrong:
        hint = None
        if param.type == "string" and isinstance(given.value, bool | int | float):
            hint = f'as a text it needs quotes: "{given.written()}"'
        draft.add(given.problem("spec.default", about(f"the default of {param.name}", said), hint=hint))


def _file_default(kind: str, value: Json) -> list[str]:
    if isinstance(value, str) and value:
        return []
    if kind == "files" and isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        return []
    return ["must be a path" if kind == "file" else "must be a path, a pattern or a list of them"]


# --- workflows ---


def build_workflows(draft: Draft, node: Node | None) -> dict[str, Workflow]:
    if node is None:
        return {}
    draft.refuse_expressions(node, "workflows")
    return {
        name: _workflow(draft, name, node.keys[name], entry) for name, entry in node.members.items() if entry.is_map
    }


def _workflow(draft: Draft, name: str, key: Node, node: Node) -> Workflow:
    return Workflow(
        name=name,
        id=text_of(member(node, "id")) or name,
        mark=key.mark,
        alias=text_of(member(node, "alias")),
        version=text_of(member(node, "version")),
        input=_fields(draft, f"{name}.input", member(node, "input")),
        output=_fields(draft, f"{name}.output", member(node, "output")),
        price=number_of(member(node, "price")),
        description=text_of(member(node, "description")),
    )


def _fields(draft: Draft, what: str, node: Node | None) -> dict[str, Field] | None:
    if node is None or not node.is_map:
        return None
    return {
        name: _field(draft, f"{what}.{name}", node.keys[name], declared)
        for name, declared in node.members.items()
        if declared.is_map
    }


def _field(draft: Draft, what: str, key: Node, node: Node) -> Field:
    declared = node.value.get("type")
    kind = declared if declared in _PARAM_TYPES or declared is None else None
    if isinstance(declared, list):
        kind = None
    required = node.value.get("required")
    schema = {word: value for word, value in node.value.items() if word not in _FIELD_WORDS}
    if isinstance(required, bool):
        del schema["required"]
    if isinstance(declared, list) or declared == "null":
        schema["type"] = declared
    _check_declaration(draft, what, kind, schema, node)
    return Field(name=key.value, type=kind, schema=schema, mark=key.mark, required=required is True)


# --- env, limits, watch ---


def build_env(draft: Draft, node: Node | None) -> tuple[str, ...]:
    if node is not None:
        draft.refuse_expressions(node, "env")
    for item in node.items if node is not None else ():
        if item.value in CREDENTIALS:
            draft.add(
                item.problem(
                    "usage.credential-in-env",
                    f"{item.value} is a credential, which expressions cannot read",
                    hint="take it out; the client reads it by itself",
                )
            )
    return texts_of(node)


def build_limits(draft: Draft, node: Node | None) -> Limits:
    if node is None:
        return Limits()
    draft.refuse_expressions(node, "limits")
    rate_node = member(node, "rate")
    rate = parse_rate(text_of(rate_node) or "")
    if rate_node is not None and rate == 0:
        draft.add(rate_node.problem("spec.value", "rate must be more than 0", hint="for example `rate: 20/s`"))
    return Limits(
        concurrency=integer_of(member(node, "concurrency")) or _BUILT_IN.concurrency,
        submitting=integer_of(member(node, "submitting")) or _BUILT_IN.submitting,
        rate_per_second=rate,
        max_failures=integer_of(member(node, "max_failures")),
        max_predictions=integer_of(member(node, "max_predictions")),
        max_cost=number_of(member(node, "max_cost")),
        per_day=integer_of(member(node, "per_day")),
    )


def build_watch(draft: Draft, node: Node | None, params: Mapping[str, Param]) -> tuple[Watch, ...]:
    if node is None:
        return ()
    draft.refuse_expressions(node, "watch")
    written = node.items if node.is_list else [node]
    return tuple(_watch(draft, entry, params) for entry in written if entry.is_map)


def _watch(draft: Draft, node: Node, params: Mapping[str, Param]) -> Watch:
    named = member(node, "param")
    param = text_of(named)
    if named is not None and param:
        _check_watched_param(draft, named, param, params)
    refuse_object(draft, member(node, "folder"), "watch.folder")
    for verdict in ("on_success", "on_failure"):
        refuse_object(draft, member(member(node, verdict), "move"), f"watch.{verdict}.move")
    batch = member(node, "batch")
    settle = duration_of(member(node, "settle"))
    max_wait = duration_of(member(batch, "max_wait"))
    return Watch(
        folder=text_of(member(node, "folder")) or "",
        param=param or "",
        mark=node.mark,
        patterns=texts_of(member(node, "patterns")) or ("*",),
        ignore=texts_of(member(node, "ignore")),
        settle_seconds=2.0 if settle is None else settle,
        batch=Batch(
            max_files=integer_of(member(batch, "max_files")) or _BATCH.max_files,
            max_wait_seconds=_BATCH.max_wait_seconds if max_wait is None else max_wait,
        ),
        on_success=text_of(member(member(node, "on_success"), "move")),
        on_failure=text_of(member(member(node, "on_failure"), "move")),
    )


def _check_watched_param(draft: Draft, node: Node, name: str, params: Mapping[str, Param]) -> None:
    param = params.get(name)
    if param is None:
        hint = did_you_mean(name, params) or f"declare it: `params: {{{name}: {{type: files}}}}`"
        draft.add(node.problem("spec.unknown-param", f'watch.param: no param "{name}"', hint=hint))
    elif param.type not in {"file", "files"}:
        draft.add(
            node.problem(
                "spec.watch-param",
                f"watch.param must be a param of type files or file; {name} is {param.type}",
                hint=f"declare {name} with `type: files`",
            )
        )


def warn_moving_alias(draft: Draft, node: Node | None, where: str) -> None:
    """An alias may come to mean another version, and cached results would not notice."""
    if node is not None and isinstance(node.value, str):
        draft.add(
            node.problem(
                "spec.alias-cached",
                f"{where}: alias {node.value} may move on, and cached results of the old version would be used again",
                hint="pin `version:`, or let results age with `cache: {max_age: 7d}`",
                severity=Severity.WARNING,
            )
        )
