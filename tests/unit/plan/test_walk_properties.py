"""Random graphs, random failures, random order: every task ends, once, and the same way whatever came first."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedpix_pipe.plan.graph import Role
from speedpix_pipe.plan.tasks import Task
from tests.unit.plan.walking import Play, woven

pytestmark = pytest.mark.slow

PARAMS = {"one": ["a", "b", "c"], "two": ["a", "b"], "none": []}
AXES = {"n": [1, 2], "m": ["x"], "empty": []}


INNER = (
    "params: {p: {type: string, default: x}}\n"
    "steps:\n"
    "  i: {workflow: w, for_each: [u, v], input: {x: '${{ params.p }}'}}\n"
    "  j: {workflow: w, for_each: '${{ steps.i }}', on_error: ignore, when: steps.i.output.yes}\n"
    "  k: {workflow: w, input: {x: '${{ steps.j.outputs }}'}}\n"
    "outputs: {v: '${{ steps.k.output.v }}', list: '${{ steps.k.output.list }}', yes: true}\n"
)


@dataclass
class Sketch:
    """A step as it is drawn, and the fan-outs that it will have."""

    name: str
    lines: list[str]
    dims: frozenset[str]
    axes: frozenset[str]
    item: bool


@st.composite
def specs(draw: st.DrawFn) -> str:
    drawn: list[Sketch] = []
    for number in range(draw(st.integers(1, 7))):
        drawn.append(draw(steps(f"s{number}", drawn)))
    order = draw(st.permutations(drawn))
    lists = ", ".join(f"{name}: {{type: array, default: {values}}}" for name, values in PARAMS.items())
    lists = lists.replace("'", "")
    return f"params: {{{lists}}}\nsteps:\n" + "".join("\n".join(sketch.lines) + "\n" for sketch in order)


@st.composite
def steps(draw: st.DrawFn, name: str, before: list[Sketch]) -> Sketch:
    kinds = ["single", "list"] + (["chain", "flat"] * 2 if before else [])
    kind = draw(st.sampled_from(kinds))
    origin = draw(st.sampled_from(before)) if kind in {"chain", "flat"} else None
    is_pipeline = draw(st.integers(0, 5)) == 0
    lines = [f"  {name}:", "    pipeline: ./inner.yaml" if is_pipeline else "    workflow: w"]
    dims, axes, item = frozenset[str](), frozenset[str](), False
    if kind == "list":
        over = draw(st.sampled_from(sorted(PARAMS)))
        lines.append(f"    for_each: ${{{{ params.{over} }}}}")
        dims, item = frozenset({f"for {over}"}), True
    elif origin is not None:
        dims, axes, item = origin.dims, origin.axes, origin.item
        text = f"steps.{origin.name}"
        if kind == "flat":
            tail = draw(st.sampled_from(["", " | default([])"]))
            text += f".output.list{tail}"
            dims, item = dims | {f"flat {text}"}, True
        lines.append(f"    for_each: ${{{{ {text} }}}}")
    new = draw(st.sets(st.sampled_from(sorted(set(AXES) - axes)), max_size=2)) if set(AXES) - axes else set()
    values = {axis: str(AXES[axis]) for axis in sorted(new)}
    agreeing = [other for other in before if other.dims <= dims]
    if agreeing and "k" not in axes and draw(st.integers(0, 4)) == 0:  # an axis whose list is found out on the way
        values["k"] = f'"${{{{ steps.{draw(st.sampled_from(agreeing)).name}.output.list }}}}"'
    if values:
        lines.append("    matrix: {" + ", ".join(f"{axis}: {written}" for axis, written in values.items()) + "}")
        dims = dims | {f"axis {axis} {written}" for axis, written in values.items()}
        axes = axes | set(values)
    if (kind == "list" or origin is not None) and draw(st.integers(0, 4)) == 0:
        keys = ["item", "item ~ '!'"] if item else ["'k'"]
        # Equal keys of chained tasks may show in any order, and the first one keeps the name: left out here.
        keys += ["'same'"] if kind in {"list", "flat"} else []
        lines.append(f'    key: "${{{{ {draw(st.sampled_from(keys))} }}}}"')
    asked = draw(st.lists(st.sampled_from(before), max_size=3)) if before else []
    fields = [_reference(draw, other, dims) for other in asked]
    fields += ["item"] if item and draw(st.booleans()) else []
    if is_pipeline:
        fields = [f"({field})" for field in fields[:1]]  # a list here is to fail in the run, not before it
    if fields:
        names = ["p"] if is_pipeline else [f"f{i}" for i, _ in enumerate(fields)]
        written = [f'{name}: "${{{{ {text} }}}}"' for name, text in zip(names, fields, strict=True)]
        lines.append("    input: {" + ", ".join(written) + "}")
    if before and draw(st.integers(0, 3)) == 0:
        lines.append(f"    needs: [{draw(st.sampled_from(before)).name}]")
    when = _when(draw, before, dims, item=item)
    if when:
        lines.append(f'    when: "{when}"')
    lines.append(f"    on_error: {draw(st.sampled_from(['continue', 'ignore']))}")
    return Sketch(name, lines, dims, axes, item)


def _reference(draw: st.DrawFn, other: Sketch, dims: frozenset[str]) -> str:
    if other.dims <= dims and draw(st.booleans()):
        return draw(
            st.sampled_from(
                [
                    f"steps.{other.name}.output.v",
                    f"steps.{other.name}.output.v | default('none')",
                    f"steps.{other.name}.key",
                ]
            )
        )
    return draw(st.sampled_from([f"steps.{other.name}.outputs", f"steps.{other.name}.tasks | map(attribute='key')"]))


def _when(draw: st.DrawFn, before: list[Sketch], dims: frozenset[str], *, item: bool) -> str:
    agreeing = [other for other in before if other.dims <= dims]
    texts = [""] * 3 + (["item != 'a'"] if item else [])
    if agreeing:
        other = draw(st.sampled_from(agreeing))
        texts += [f"steps.{other.name}.output.yes", f"steps.{other.name}.output is not defined"]
    return draw(st.sampled_from(texts))


def outcome_by(seed: int) -> object:
    """What a task comes to, from its name alone."""

    def outcome(task: Task) -> object:
        dice = hashlib.sha256(f"{seed} {task.name}".encode()).digest()
        if dice[0] < 60:
            return RuntimeError("bad luck")
        found: object = [f"{task.key}-{n}" for n in range(dice[1] % 3)]
        if dice[3] < 25:
            found = "no list"
        elif dice[3] < 40:
            found = [{"no": "name"}]
        return {"v": f"{task.name}!", "list": found, "yes": dice[2] < 160}

    return outcome


def play(text: str, seed: int, order: int) -> Play:
    graph, problems = woven(text, inner=INNER)
    assert not problems, [str(problem) for problem in problems]
    dice = random.Random(order)
    params = {name: list(values) for name, values in PARAMS.items()}
    return Play(graph, params, outcome_by(seed), dice.randrange).run()


@given(text=specs(), seed=st.integers(0, 2**32), orders=st.tuples(st.integers(), st.integers()))
@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_task_ends_once_and_the_same_way_in_any_order(text: str, seed: int, orders: tuple[int, int]) -> None:
    first, second = (play(text, seed, order) for order in orders)
    for played in (first, second):
        open_tasks = [name for name, status in played.finals.items() if status is None]
        assert not open_tasks
        assert played.walk.unfinished == 0
        assert not any(played.walk.open_units)
        hidden = sum(task.node.role is Role.ENTER for task in played.walk.every_task())
        assert played.born == len(list(played.walk.every_task()))
        assert played.born - hidden == sum(Counter(played.finals.values()).values())
        told = [task.name for task in played.told if task.node.role is not Role.ENTER]
        assert len(told) == len(set(told))
        assert not set(told) & set(played.inputs), "a task that the walk ended was run"
    assert first.finals == second.finals
    assert first.inputs == second.inputs


@given(text=specs(), seed=st.integers(0, 2**32), order=st.integers(), data=st.data())
@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_on_demand_what_is_asked_for_ends_as_it_does_in_a_whole_run(
    text: str, seed: int, order: int, data: st.DataObject
) -> None:
    whole = play(text, seed, order)
    graph = whole.graph
    wanted = data.draw(st.sampled_from([node.index for node in graph if node.role is not Role.ENTER]))
    params = {name: list(values) for name, values in PARAMS.items()}
    part = Play(
        graph,
        params,
        outcome_by(seed),
        random.Random(order).randrange,
        nodes=graph.ancestors(graph.nodes[wanted].name),
        demand={wanted},
    ).run()
    name = graph.nodes[wanted].name
    assert {task: status for task, status in part.finals.items() if task.startswith(f"{name}@")} == {
        task: status for task, status in whole.finals.items() if task.startswith(f"{name}@")
    }
    assert all(part.inputs[task] == whole.inputs[task] for task in part.inputs)


def _moves_per_task(count: int) -> float:
    graph, problems = woven(
        "params: {rows: {type: array}}\n"
        "steps:\n"
        '  a:\n    workflow: w\n    for_each: ${{ params.rows }}\n    input: {x: "${{ item }}"}\n'
        "  b:\n    workflow: w\n    for_each: ${{ steps.a }}\n    matrix: {n: [1, 2]}\n"
        '    input: {x: "${{ steps.a.output.v }}"}\n'
        '  c:\n    workflow: w\n    for_each: ${{ params.rows }}\n    input: {x: "${{ steps.b.outputs }}"}\n'
        "  d:\n    workflow: w\n    for_each: ${{ steps.c.output.list }}\n    needs: [gate]\n"
        '    input: {x: "${{ item }}"}\n'
        '  e:\n    workflow: w\n    for_each: ${{ steps.a }}\n    needs: [a]\n    input: {x: "${{ steps.d.outputs }}"}\n'
        "  gate:\n    workflow: w\n    input: {}\n"
        '  all:\n    workflow: w\n    needs: [e]\n    input: {x: "${{ steps.c.tasks | length }}"}\n'
    )  # fmt: skip
    assert not problems
    played = Play(
        graph,
        {"rows": [str(n) for n in range(count)]},
        lambda task: {"v": task.key, "list": [1] if task.node.name == "c" else []},
    )
    played.ready = []
    played.carry_out(played.walk.start())
    ready = played.ready
    while ready:  # from the end of the list: what is cheap for this test is of no interest here
        played.carry_out(played.end(ready.pop()))
    assert played.walk.unfinished == 0
    return played.walk.moves / played.born


def test_the_work_per_task_is_the_same_for_a_thousand_and_for_ten_thousand_tasks() -> None:
    few, many = _moves_per_task(150), _moves_per_task(1_500)  # about 1,050 and 10,500 tasks
    assert many < 6
    assert abs(many - few) < 0.05
