"""One step as written into a `Step`: what it calls, over what, with which defaults merged in.

What a step says about other steps (that they exist, that they agree) is left to the graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from speedpix_pipe.model import (
    Axis,
    CachePolicy,
    Entry,
    Expression,
    Field,
    ImageOperation,
    ListOf,
    Literal,
    MapOf,
    OnError,
    OnUnknownSubmit,
    Param,
    Pipeline,
    Retry,
    SaveRule,
    Step,
    StepKind,
    Template,
    Text,
    Workflow,
)
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.declared import warn_moving_alias
from speedpix_pipe.spec.draft import (
    Draft,
    duration_of,
    flag_of,
    integer_of,
    member,
    normal_text,
    number_of,
    places_of,
    text_of,
    texts_of,
)
from speedpix_pipe.spec.inputs import (
    as_files,
    build_input,
    build_pictures,
    check_param_kind,
    check_required,
    params_as_fields,
)
from speedpix_pipe.spec.nearest import nearest
from speedpix_pipe.spec.object_urls import check_target
from speedpix_pipe.spec.places import Node
from speedpix_pipe.spec.results import check_places, results_of
from speedpix_pipe.spec.schema import schema_keys

_WITH_EXPRESSIONS = frozenset({"for_each", "matrix", "key", "when", "input", "save", "expect", "image"})
_OF_WORKFLOWS = ("alias", "version", "price", "resource_config", "randomise_seeds", "return_temp_files")
_PINNED = ("alias", "version", "price")
_CHAIN = re.compile(r"steps\.(\w+)")
_FILE_OPTIONS = frozenset({"over", "under", "font"})  # of image operations
_RETRY = Retry()
_NOTHING = Step("", StepKind.WORKFLOW, mark=None)  # type: ignore[arg-type]  # only its built-in values are read


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What steps of one spec refer to."""

    params: Mapping[str, Param]
    workflows: Mapping[str, Workflow]
    workflow_nodes: Node | None
    defaults: Node | None
    steps: Node
    sub_pipeline: Callable[[Node], Pipeline | None]


def build_step(draft: Draft, name: str, key: Node, node: Node, around: Surroundings) -> Step:
    fields = _fields(node)
    for field_name, place in fields.items():
        if field_name not in _WITH_EXPRESSIONS:
            draft.refuse_expressions(place, field_name)
    kind = next((k for k in StepKind if k.value in fields), StepKind.WORKFLOW)
    workflow = _workflow(draft, fields, around) if kind is StepKind.WORKFLOW else None
    pipeline = around.sub_pipeline(fields["pipeline"]) if kind is StepKind.PIPELINE else None
    if kind is not StepKind.WORKFLOW:
        _refuse_workflow_fields(draft, node, fields, kind)
    for_each = _for_each(draft, fields.get("for_each"), around)
    chain = _CHAIN.fullmatch(for_each.normal) if isinstance(for_each, Expression) else None
    draft.collect_for_save(on=True)
    save = _save(draft, fields.get("save"))
    draft.collect_for_save(on=False)
    for field_name in ("save", "expect"):
        check_places(draft, fields.get(field_name), results_of(workflow, pipeline, kind))
    key_node = fields.get("key")
    return Step(
        name=name,
        kind=kind,
        mark=key.mark,
        workflow=workflow,
        pipeline=pipeline,
        operations=_operations(draft, fields.get("image")) if kind is StepKind.IMAGE else (),
        description=text_of(fields.get("description")),
        needs=places_of(fields.get("needs")),
        for_each=for_each,
        chained_from=chain[1] if chain else None,
        for_each_normal=normal_text(for_each) if for_each is not None else "",
        matrix=_matrix(draft, fields.get("matrix"), around.params),
        key=draft.template(key_node) if key_node is not None else None,
        when=_when(draft, fields.get("when"), around.params),
        input=_input(draft, key, node.keys.get("input"), fields, around, kind, workflow, pipeline),
        save=save,
        expect=_expect(draft, fields.get("expect")),
        on_error=_on_error(_or_default(fields, around, "on_error")),
        on_unknown_submit=_on_unknown(_or_default(fields, around, "on_unknown_submit")),
        cache=_cache(_or_default(fields, around, "cache")),
        timeout_seconds=_timeout(draft, _or_default(fields, around, "timeout")),
        retry=_retry(fields.get("retry"), member(around.defaults, "retry")),
        resource_config=_resource_config(_or_default(fields, around, "resource_config")),
        randomise_seeds=flag_of(fields.get("randomise_seeds")),
        return_temp_files=flag_of(fields.get("return_temp_files")),
    )


def _fields(node: Node) -> dict[str, Node]:
    """The step's fields. A misspelled one, which the schema has already reported, counts as what it was meant to be:
    one wrong letter shall not make a fan-out vanish and raise problems that are none.
    """
    known = schema_keys("step")
    fields = dict(node.members)
    for name in node.members:
        if name not in known:
            meant = _meant_field(name)
            if meant is not None and meant not in fields:
                fields[meant] = fields.pop(name)
    return fields


@lru_cache(maxsize=1000)
def _meant_field(name: str) -> str | None:
    return nearest(name, schema_keys("step"))


def _or_default(fields: Mapping[str, Node], around: Surroundings, name: str) -> Node | None:
    return fields.get(name) or member(around.defaults, name)


# --- what the step calls ---


def _workflow(draft: Draft, fields: Mapping[str, Node], around: Surroundings) -> Workflow:
    named = fields.get("workflow")
    name = text_of(named) or ""
    entry = around.workflows.get(name)
    if entry is not None and named is not None:
        for field_name in _PINNED:
            given = fields.get(field_name)
            if given is not None:
                draft.add(
                    given.problem(
                        "spec.pinned-twice",
                        f"{field_name} of {name} stands in its entry in workflows, and may not be given again",
                        hint=f"change it on line {_line_of(around.workflow_nodes, name)}, or name the id itself",
                    )
                )
        _warn_alias(draft, member(member(around.workflow_nodes, name), "alias"), fields, around, name)
        return entry
    _warn_alias(draft, fields.get("alias"), fields, around, name)
    return Workflow(
        name=name,
        id=name,
        mark=named.mark if named is not None else around.steps.mark,
        alias=text_of(fields.get("alias")),
        version=text_of(fields.get("version")),
        price=number_of(fields.get("price")),
    )


def _line_of(workflows: Node | None, name: str) -> int:
    return workflows.keys[name].mark.line if workflows is not None else 0


def _warn_alias(draft: Draft, alias: Node | None, fields: Mapping[str, Node], around: Surroundings, name: str) -> None:
    cache = _cache(_or_default(fields, around, "cache"))
    if alias is not None and cache.enabled and cache.max_age_seconds is None:
        warn_moving_alias(draft, alias, name)


def _refuse_workflow_fields(draft: Draft, node: Node, fields: Mapping[str, Node], kind: StepKind) -> None:
    for name in _OF_WORKFLOWS:
        if name in fields:
            place = node.keys.get(name, fields[name])
            draft.add(
                place.problem("spec.field-not-here", f"{name} is for steps that call a workflow, not for {kind} steps")
            )


# --- over what ---


def _for_each(draft: Draft, node: Node | None, around: Surroundings) -> Template | None:
    if node is None:
        return None
    template = draft.chain(node)
    check_param_kind(draft, node, template, around.params, "for_each", "array")
    if isinstance(template, Expression | ListOf) or node.is_list:
        return template
    if isinstance(template, Text):
        draft.add(
            node.problem(
                "spec.for-each",
                "for_each must be a list or one expression; text around an expression makes a text",
                hint="let the expression stand alone: ${{ ... }}",
            )
        )
    elif isinstance(template, Literal) and isinstance(template.value, str):
        draft.add(
            node.problem(
                "spec.for-each",
                f'for_each must be a list or an expression, not the text "{template.value}"',
                hint=_for_each_hint(template.value, around),
            )
        )
    return Literal([], node.mark)


def _for_each_hint(text: str, around: Surroundings) -> str:
    bare = text.removeprefix("params.").removeprefix("steps.")
    if bare in around.params and not text.startswith("steps."):
        return f"write ${{{{ params.{bare} }}}}"
    if bare in around.steps.members:
        return f"write ${{{{ steps.{bare} }}}}"
    return "write ${{ params.NAME }}, ${{ steps.NAME }} or ${{ glob('PATTERN') }}"


def _when(draft: Draft, node: Node | None, params: Mapping[str, Param]) -> Expression | None:
    if node is None:
        return None
    condition = draft.condition(node)
    check_param_kind(draft, node, condition, params, "when", "boolean")
    return condition


def _matrix(draft: Draft, node: Node | None, params: Mapping[str, Param]) -> tuple[Axis, ...]:
    if node is None or not node.is_map:
        return ()
    draft.check_names(node, "matrix")
    axes = []
    for name, place in node.members.items():
        values = draft.template(place)
        check_param_kind(draft, place, values, params, f"matrix.{name}", "array")
        if isinstance(values, Text):
            draft.add(
                place.problem(
                    "spec.matrix",
                    f"matrix.{name} must be a list or one expression; text around an expression makes a text",
                    hint="let the expression stand alone: ${{ ... }}",
                )
            )
            values = Literal([], place.mark)
        axes.append(Axis(name, values, normal_text(values), node.keys[name].mark))
    return tuple(axes)


# --- what goes in and what comes out ---


def _input(
    draft: Draft,
    key: Node,
    input_key: Node | None,
    fields: Mapping[str, Node],
    around: Surroundings,
    kind: StepKind,
    workflow: Workflow | None,
    pipeline: Pipeline | None,
) -> MapOf | None:
    node = fields.get("input")
    node = node if node is not None and node.is_map else None
    contract: Mapping[str, Field] | None = None
    owner = ""
    if workflow is not None:
        contract, owner = workflow.input, workflow.name
        if contract is not None:
            check_required(draft, key, input_key, node, contract, owner)
    elif pipeline is not None:
        contract, owner = params_as_fields(pipeline), pipeline.name
        check_required(draft, key, input_key, node, contract, owner)
    elif kind is StepKind.IMAGE and not ({"image", "images"} & set(() if node is None else node.members)):
        draft.add(
            key.problem(
                "spec.missing-input",
                "an image step needs the input image, or images",
                hint='add `input: {image: "${{ item }}"}`',
            )
        )
    if node is None:
        return None
    built = build_input(draft, node, contract, around.params, owner)
    return build_pictures(draft, node, built, around.params) if kind is StepKind.IMAGE else built


def _operations(draft: Draft, node: Node | None) -> tuple[ImageOperation, ...]:
    if node is None:
        return ()
    operations = []
    for place in node.items:
        if isinstance(place.value, str):
            operations.append(ImageOperation(place.value, MapOf((), place.mark), place.mark))
        for name, options in place.members.items():
            operations.append(ImageOperation(name, _options(draft, options), place.keys[name].mark))
    return tuple(operations)


def _options(draft: Draft, node: Node) -> MapOf:
    """A text for an option that names a file is one; elsewhere a text such as `/2024` is only a text."""
    written = draft.mapping(node)
    entries = [
        Entry(entry.name, as_files(draft, node.members[entry.name], entry.value, "file"), entry.mark)
        if entry.name in _FILE_OPTIONS
        else entry
        for entry in written.entries
    ]
    return MapOf(tuple(entries), written.mark)


def _save(draft: Draft, node: Node | None) -> tuple[SaveRule, ...]:
    if node is None:
        return ()
    if node.is_map:
        rules = []
        for path, target in node.members.items():
            if "${{" in path:
                draft.refuse_expression(node.keys[path], "a key")
            rules.append(SaveRule(path, _target(draft, target), node.keys[path].mark))
        return tuple(rules)
    return (SaveRule(None, _target(draft, node), node.mark),) if isinstance(node.value, str) else ()


def _target(draft: Draft, node: Node) -> Template:
    template = draft.template(node)
    check_target(draft, node, template)
    return template


def _expect(draft: Draft, node: Node | None) -> dict[str, Template]:
    if node is None or not node.is_map:
        return {}
    return {entry.name: entry.value for entry in draft.mapping(node).entries}


# --- how it is run ---


def _on_error(node: Node | None) -> OnError:
    text = text_of(node)
    return OnError(text) if text in set(OnError) else _NOTHING.on_error


def _on_unknown(node: Node | None) -> OnUnknownSubmit:
    text = text_of(node)
    return OnUnknownSubmit(text) if text in set(OnUnknownSubmit) else _NOTHING.on_unknown_submit


def _cache(node: Node | None) -> CachePolicy:
    enabled = flag_of(node)
    if enabled is not None:
        return CachePolicy(enabled=enabled)
    return CachePolicy(max_age_seconds=duration_of(member(node, "max_age")))


def _seconds(node: Node | None, built_in: float) -> float:
    seconds = duration_of(node)
    return built_in if seconds is None else seconds


def _timeout(draft: Draft, node: Node | None) -> float:
    seconds = _seconds(node, _NOTHING.timeout_seconds)
    if node is not None and seconds == 0:
        draft.add(node.problem("spec.value", "timeout must be more than 0", hint="for example `timeout: 10m`"))
    return seconds


def _retry(own: Node | None, default: Node | None) -> Retry:
    """Key by key: the step's, else the defaults', else the built-in."""

    def pick(name: str) -> Node | None:
        return member(own, name) or member(default, name)

    failed_task = integer_of(pick("failed_task"))
    return Retry(
        attempts=integer_of(pick("attempts")) or _RETRY.attempts,
        backoff_seconds=_seconds(pick("backoff"), _RETRY.backoff_seconds),
        max_backoff_seconds=_seconds(pick("max_backoff"), _RETRY.max_backoff_seconds),
        failed_task=_RETRY.failed_task if failed_task is None else failed_task,
    )


def _resource_config(node: Node | None) -> tuple[str, ...]:
    text = text_of(node)
    return (text,) if text else texts_of(node)
