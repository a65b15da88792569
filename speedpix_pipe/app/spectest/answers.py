"""Workflows that answer as a case says: the first rule whose `when` fits the input decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from speedpix_pipe.app.specs import pipelines_of
from speedpix_pipe.app.spectest.casefile import Case
from speedpix_pipe.app.spectest.stage import picture
from speedpix_pipe.errors import UsageError
from speedpix_pipe.model import Pipeline
from speedpix_pipe.spec.nearest import did_you_mean

Answer = Callable[[Any], Any]
_FIELD = re.compile(r"\{(\w+)\}")


def answers(case: Case, pipeline: Pipeline | None) -> dict[str, Answer]:
    """Scripted workflows by id. UsageError for a name that no step of the spec calls."""
    if pipeline is None:
        return {}  # the run will say why there is nothing to call
    ids = _ids(pipeline)
    found: dict[str, Answer] = {}
    for name, rules in case.workflows.items():
        if name not in ids:
            hint = did_you_mean(name, ids) or f"the spec calls {', '.join(ids)}"
            raise UsageError(f'{case.mark}: no step calls a workflow "{name}"', code="test.workflow", hint=hint)
        found[ids[name]] = _scripted(rules)
    return found


def _ids(pipeline: Pipeline) -> dict[str, str]:
    """Ids of all workflows that are called, by name and by id."""
    steps = [step for inner in pipelines_of(pipeline) for step in inner.steps.values()]
    called = [step.workflow for step in steps if step.workflow is not None]
    return {name: workflow.id for workflow in called for name in (workflow.name, workflow.id)}


def _scripted(rules: Sequence[Mapping[str, Any]]) -> Answer:
    def answer(inputs: Any) -> Any:
        from speedpix_pipe.emulator import WorkflowError

        given = {name: plain_name(value) for name, value in dict(inputs).items()}
        for rule in rules:
            if fits_all(given, rule.get("when", {})):
                if "fail" in rule:
                    raise WorkflowError(rule["fail"])
                return _filled(rule["give"], given, inputs.digest())
        raise WorkflowError(f"no rule of the case fits this input: {given}")

    return answer


def fits_all(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in given and fits(given[name], value) for name, value in wanted.items())


def fits(value: Any, wanted: Any) -> bool:
    """Whether a value is what a case wants: texts with `*`, mappings by the members that are named, else equal."""
    if isinstance(wanted, str) and isinstance(value, str):
        pattern = ".*".join(map(re.escape, wanted.split("*")))
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    if isinstance(wanted, Mapping) and isinstance(value, Mapping):
        return fits_all(value, wanted)
    if isinstance(wanted, list) and isinstance(value, list):
        return len(wanted) == len(value) and all(fits(*pair) for pair in zip(value, wanted, strict=True))
    return (type(value) is type(wanted) and value == wanted) or _same_number(value, wanted)


def _same_number(value: Any, wanted: Any) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (value, wanted))
    return numbers and value == wanted


def plain_name(value: Any) -> Any:
    """An input as a case speaks of it: a file on the service is its name."""
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return unquote(urlsplit(value).path.rpartition("/")[2])
    if isinstance(value, list):
        return [plain_name(inner) for inner in value]
    return value


def _filled(answer: Any, given: Mapping[str, Any], digest: str) -> Any:
    """`digest` is that of the input: different inputs give different pictures."""
    match answer:
        case str():
            return _FIELD.sub(lambda found: str(given.get(found[1], found[0])), answer)
        case {"picture": str() as text}:
            from speedpix_pipe.emulator import Artifact

            form = answer.get("format", "png")
            shown = f"{_filled(text, given, digest)} {digest}"
            content = picture({**answer, "picture": shown}, form)
            return Artifact(content, form, answer.get("width", 64), answer.get("height", 48))
        case dict():
            return {name: _filled(value, given, digest) for name, value in answer.items()}
        case list():
            return [_filled(value, given, digest) for value in answer]
        case _:
            return answer
