"""What changed between two pipelines in meaning: steps, inputs, pins, limits. Text, order and comments do not count.

Which tasks would run again is a question to the state folder, and asked in `app.diff`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from speedpix_pipe.model import Json, Pipeline
from speedpix_pipe.plan.facts import PIN, Fact, Facts, group_facts, of_results, pipeline_facts, renamed, step_facts
from speedpix_pipe.records import dataclass


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"
    PINNED = "pinned"  # alias or version moved


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `what` is a step, param, workflow, limit, output, env or the pipeline; `field` a part of it."""

    kind: ChangeKind
    what: str
    name: str
    field: str = ""
    before: Json = None
    after: Json = None

    def to_json(self) -> dict[str, Json]:
        return {
            "kind": self.kind.value,
            "what": self.what,
            "name": self.name,
            "field": self.field or None,
            "before": self.before,
            "after": self.after,
        }


def compare(old: Pipeline, new: Pipeline) -> list[Change]:
    """Everything that changed, sub-pipelines included; empty where both mean the same."""
    changes = list(_fields("pipeline", new.name, pipeline_facts(old), pipeline_facts(new)))
    return [*changes, *_parts(old, new, "", outermost=True)]


def _parts(old: Pipeline, new: Pipeline, prefix: str, *, outermost: bool) -> Iterator[Change]:
    before = {name: step_facts(step, old) for name, step in old.steps.items()}
    after = {name: step_facts(step, new) for name, step in new.steps.items()}
    names = _renames(old, new, before, after)
    for (what, were), (_, are) in zip(group_facts(old), group_facts(new), strict=True):
        if what != "limit" or outermost:  # limits of a sub-pipeline do not count
            yield from _named(what, {name: renamed(facts, names) for name, facts in were.items()}, are, prefix)
    for name in before:
        if name not in after and name not in names:
            yield Change(ChangeKind.REMOVED, "step", prefix + name)
    was = {new_name: old_name for old_name, new_name in names.items()}
    for name, facts in after.items():
        earlier = was.get(name, name)
        if earlier not in before:
            yield Change(ChangeKind.ADDED, "step", prefix + name)
            continue
        if earlier != name:
            yield Change(ChangeKind.RENAMED, "step", prefix + name, before=prefix + earlier, after=prefix + name)
        yield from _fields("step", prefix + name, renamed(before[earlier], names), facts)
        inner_old, inner_new = old.steps[earlier].pipeline, new.steps[name].pipeline
        if inner_old is not None and inner_new is not None:
            yield from _parts(inner_old, inner_new, f"{prefix}{name}.", outermost=False)


def _renames(old: Pipeline, new: Pipeline, before: Mapping[str, Facts], after: Mapping[str, Facts]) -> dict[str, str]:
    """Steps known again under another name. One rename may show the next: followers name the step they follow."""
    names: dict[str, str] = {}
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    found = True
    while found:
        found = False
        for name in [name for name in gone if name not in names]:
            facts = of_results(renamed(before[name], names))
            for other in come:
                same = facts == of_results(after[other]) and _same_inside(old, name, new, other)
                if same and other not in names.values():
                    names[name] = other
                    found = True
                    break
    return names


def _same_inside(old: Pipeline, name: str, new: Pipeline, other: str) -> bool:
    one, two = old.steps[name].pipeline, new.steps[other].pipeline
    if one is None or two is None:
        return one is two
    return not any(_parts(one, two, "", outermost=False))


def _named(what: str, before: Mapping[str, Facts], after: Mapping[str, Facts], prefix: str) -> Iterator[Change]:
    for name, facts in before.items():
        if name not in after:
            yield Change(ChangeKind.REMOVED, what, prefix + name, before=_value(facts))
    for name, facts in after.items():
        if name not in before:
            yield Change(ChangeKind.ADDED, what, prefix + name, after=_value(facts))
        else:
            yield from _fields(what, prefix + name, before[name], facts)


def _fields(what: str, name: str, before: Facts, after: Facts) -> Iterator[Change]:
    nothing = Fact("", None)
    for field in dict.fromkeys([*before, *after]):
        was, is_now = before.get(field, nothing), after.get(field, nothing)
        if was != is_now:
            kind = ChangeKind.PINNED if field == PIN else ChangeKind.CHANGED
            yield Change(kind, what, name, field, was.shown, is_now.shown)


def _value(facts: Facts) -> Json:
    """Of what is one value and nothing else: a limit, an output."""
    return facts[""].shown if list(facts) == [""] else None
