"""A pipeline as named facts: what of a spec has a meaning, each fact beside the text that shows it.

Comments, order, places, descriptions and white space are no facts. Two pipelines with equal facts do the same.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import field, fields
from typing import Any

from speedpix_pipe.model import (
    CachePolicy,
    Field,
    Json,
    MapOf,
    Param,
    Pipeline,
    Retry,
    Step,
    Template,
    Workflow,
)
from speedpix_pipe.plan.written import template_text
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.draft import normal_text

PIN = "release"  # the fact that holds alias or version
# What decides a result, and what decides which tasks there are; the rest says how they are run and where files go.
OF_RESULTS = ("kind", "workflow", PIN, "randomise_seeds", "return_temp_files", "input", "image", "for_each", "matrix")

Names = Mapping[str, str]  # a step's old name -> its new one


@dataclass(frozen=True, slots=True)
class Fact:
    """`normal` decides whether two facts are the same, `shown` is for people."""

    normal: str
    shown: Json = field(compare=False)


Facts = dict[str, Fact]


def plain(value: Any) -> Fact:
    return Fact(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str), value)


def of_template(template: Template) -> Fact:
    return Fact(normal_text(template), template_text(template))


def renamed(facts: Facts, names: Names) -> Facts:
    """The facts as they would read if those steps were called otherwise."""
    if not names:
        return facts
    old = re.compile(r"(?<![\w.])steps\.(" + "|".join(map(re.escape, names)) + r")(?!\w)")
    return {
        name: Fact(old.sub(lambda found: f"steps.{names[found[1]]}", fact.normal), fact.shown)
        for name, fact in facts.items()
    }


def step_facts(step: Step, pipeline: Pipeline) -> Facts:
    """All facts of one step but those that stand in an entry of `workflows`, or in its sub-pipeline."""
    facts = {"kind": plain(step.kind.value), **_called(step, pipeline)}
    if step.for_each is not None:
        facts["for_each"] = of_template(step.for_each)
    for axis in step.matrix:
        facts[f"matrix.{axis.name}"] = of_template(axis.values)
    if len(step.matrix) > 1:  # the order of axes is that of gathered results
        facts["matrix (order)"] = plain([axis.name for axis in step.matrix])
    for entry in step.input.entries if step.input else ():
        facts[f"input.{entry.name}"] = of_template(entry.value)
    if step.operations:
        facts["image"] = _operations(step)
    if step.key is not None:
        facts["key"] = of_template(step.key)
    if step.when is not None:
        facts["when"] = of_template(step.when)
    for rule in step.save:
        facts[f"save.{rule.path}" if rule.path else "save"] = of_template(rule.target)
    for path, template in step.expect.items():
        facts[f"expect.{path}"] = of_template(template)
    facts.update(_ways(step))
    return facts


def _called(step: Step, pipeline: Pipeline) -> Facts:
    facts: Facts = {}
    workflow = step.workflow
    if workflow is not None:
        facts["workflow"] = plain(workflow.id)
        if workflow.name not in pipeline.workflows:
            facts[PIN] = plain(workflow.release)
            facts |= _given("price", workflow.price)
    if step.pipeline is not None:  # by its contents, which are compared apart; its folder is where its paths begin
        facts["pipeline folder"] = plain(os.path.relpath(step.pipeline.folder, pipeline.folder))
    return facts


def _operations(step: Step) -> Fact:
    normal = [[operation.name, normal_text(_sorted(operation.options))] for operation in step.operations]
    return Fact(json.dumps(normal), [{one.name: template_text(one.options)} for one in step.operations])


def _sorted(options: MapOf) -> MapOf:
    return MapOf(tuple(sorted(options.entries, key=lambda entry: entry.name)), options.mark)


def _ways(step: Step) -> Facts:
    """How it is run: what differs from the built-in."""
    built_in = Step(step.name, step.kind, step.mark)
    facts: Facts = {}
    for name in ("on_error", "on_unknown_submit", "timeout_seconds", "resource_config"):
        facts |= _given(_word(name), getattr(step, name), getattr(built_in, name))
    for name in ("randomise_seeds", "return_temp_files"):
        facts |= _given(name, getattr(step, name) or None)
    facts |= _given("needs", sorted(step.needs), [])
    facts |= _members("retry", step.retry, Retry())
    facts |= _members("cache", step.cache, CachePolicy())
    return facts


def pipeline_facts(pipeline: Pipeline) -> Facts:
    """What is said of the whole."""
    facts = {"name": plain(pipeline.name)}
    for number, watch in enumerate(pipeline.watch):
        for one in fields(watch):
            if one.name != "mark":
                facts |= _given(f"watch.{number}.{one.name}", getattr(watch, one.name))
    return facts


def group_facts(pipeline: Pipeline) -> Iterator[tuple[str, dict[str, Facts]]]:
    """The named parts of a pipeline beside its steps: what they are, and each with its facts."""
    yield "param", {name: _param(param) for name, param in pipeline.params.items()}
    yield "env", {name: {} for name in pipeline.env}
    yield "workflow", {name: _workflow(workflow) for name, workflow in pipeline.workflows.items()}
    limits = {_word(one.name): getattr(pipeline.limits, one.name) for one in fields(pipeline.limits)}
    yield "limit", {name: {"": plain(value)} for name, value in limits.items() if value is not None}
    outputs = pipeline.outputs.entries if pipeline.outputs else ()
    yield "output", {entry.name: {"": of_template(entry.value)} for entry in outputs}


def _param(param: Param) -> Facts:
    facts = {"type": plain(param.type), "required": plain(param.required)}
    facts |= _given("allow_empty", param.allow_empty or None)
    if not param.required:
        facts["default"] = plain(param.default)
    return facts | {name: plain(value) for name, value in param.schema.items()}


def _workflow(workflow: Workflow) -> Facts:
    facts = {"id": plain(workflow.id), PIN: plain(workflow.release)} | _given("price", workflow.price)
    for side, contract in (("input", workflow.input), ("output", workflow.output)):
        for name, one in (contract or {}).items():
            facts[f"{side}.{name}"] = plain(_contract(one))
    return facts


def _contract(one: Field) -> dict[str, Json]:
    return {"type": one.type, **({"required": True} if one.required else {}), **one.schema}


def _members(name: str, value: object, built_in: object) -> Facts:
    found: Facts = {}
    for one in fields(value):  # type: ignore[arg-type]  # both are dataclasses of the model
        found |= _given(f"{name}.{_word(one.name)}", getattr(value, one.name), getattr(built_in, one.name))
    return found


def _word(name: str) -> str:
    """As the spec calls it; values are in seconds, or by the second."""
    return name.removesuffix("_seconds").removesuffix("_per_second")


def _given(name: str, value: Any, built_in: Any = None) -> Facts:
    return {} if value == built_in else {name: plain(value)}


def of_results(facts: Facts) -> Facts:
    """Those by which a step is known again under another name."""
    return {name: fact for name, fact in facts.items() if name.partition(".")[0].partition(" ")[0] in OF_RESULTS}
