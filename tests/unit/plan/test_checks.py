"""What is found wrong before anything is sent, and what is left for the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.files import FolderFiles
from speedpix_pipe.plan.checks import StaticChecks
from speedpix_pipe.plan.estimate import Forecast
from speedpix_pipe.plan.scopes import Scopes, Surroundings
from speedpix_pipe.plan.tasks import Command, Task
from speedpix_pipe.plan.walk import Walk
from tests.unit.plan.walking import NoFiles, woven

ROWS = "params: {rows: {type: array}}\nsteps:\n  one:\n    workflow: w\n    for_each: ${{ params.rows }}\n"
INNER = 'params: {p: {type: array}}\nsteps:\n  in:\n    workflow: w\n    for_each: ${{ params.p }}\n    input: {x: "${{ item.t }}"}\n'


class HiddenError(Exception):
    """A value that is not known here."""


class Params(dict[str, Any]):
    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise HiddenError
        return super().__getitem__(name)


class _Walked(Forecast):
    """What needs a hidden value stays open."""

    def _one(self, command: Command) -> list[Command]:
        try:
            return super()._one(command)
        except HiddenError:
            return []


def _looked_up(task: Task) -> NoReturn:
    raise AssertionError(task.name)


def said(text: str, claimed: list[str] | None = None, /, **params: Any) -> list[str]:
    return found(text, {}, params, claimed)


def found(text: str, others: dict[str, str], params: dict[str, Any], claimed: list[str] | None = None) -> list[str]:
    graph, problems = woven(text, **others)
    assert not problems, [str(problem) for problem in problems]
    walk = Walk(graph)
    files = {number: FolderFiles(Path("/nowhere")) for number, _ in enumerate(graph.spaces)}
    scopes = Scopes(walk, Surroundings(Params(params), {}, {}, {}, files, NoFiles()))
    owners: list[str] = claimed if claimed is not None else []

    def claim(task: Task) -> None:
        if "twice" in owners:
            raise TaskError("taken", kind=TaskErrorKind.INPUT)
        owners.append(task.name)

    checks = StaticChecks(scopes, claim, unknown=(HiddenError,))
    _Walked(walk, scopes, _looked_up, on_static_error=checks.unit, check_born=checks.task).begin()
    return [str(problem) for problem in checks.problems]


def test_a_value_that_breaks_the_contract_stands_at_its_field() -> None:
    text = ROWS.replace(
        "params:", "workflows: {w: {id: w, input: {n: {type: integer, minimum: 2}, u: {type: string}}}}\nparams:"
    )
    text += '    input:\n      u: "${{ steps.zero.output }}"\n      n: "${{ item.n }}"\n  zero:\n    workflow: z\n'
    assert said(text, rows=[{"name": "a", "n": 2}, {"name": "b", "n": 1}, {"name": "c", "n": "x"}]) == [
        "p.yaml:11:11: one@b: n must be at least 2, not 1",
        'p.yaml:11:11: one@c: n must be a whole number, not the text "x"',
    ]


def test_a_mistake_that_every_task_makes_is_said_once() -> None:
    text = ROWS + '    input: {x: "${{ item.t }}"}\n'
    assert said(text, rows=[{"name": str(n)} for n in range(1000)]) == ["p.yaml:8:17: item has no `t`"]


def test_what_a_condition_keeps_out_is_not_looked_at() -> None:
    text = ROWS + '    when: item.t is defined\n    input: {x: "${{ item.t }}"}\n'
    assert said(text, rows=[{"name": "a"}, {"name": "b", "t": 1}]) == []


def test_what_a_condition_on_an_output_may_keep_out_is_left_to_the_run() -> None:
    text = ROWS + '    when: steps.zero.output.ok\n    input: {x: "${{ item.t }}"}\n  zero:\n    workflow: z\n'
    text += '  two:\n    workflow: w\n    for_each: ${{ steps.one }}\n    input: {x: "${{ item.t }}"}\n'
    assert said(text, rows=[{"name": "a"}]) == []


def test_a_condition_that_cannot_be_asked_is_a_problem() -> None:
    assert said(ROWS + "    when: item.t > 1\n", rows=[{"name": "a"}]) == ["p.yaml:8:11: item has no `t`"]


def test_an_unknown_value_leaves_open_what_hangs_on_it_and_nothing_else() -> None:
    text = (
        ROWS
        + '    input: {x: "${{ item.t }}"}\n  two:\n    workflow: w\n    for_each: [a]\n    input: {x: "${{ item.t }}"}\n'
    )
    assert said(text) == ['p.yaml:12:17: item is the text "a", which has no `t`']


def test_a_sub_pipeline_is_looked_into_once_its_params_are_known() -> None:
    text = 'params: {rows: {type: array}}\nsteps:\n  sub:\n    pipeline: ./inner.yaml\n    input: {p: "${{ params.rows }}"}\n'
    others = {"inner": INNER}
    assert found(text, others, {"rows": [{"name": "a"}]}) == ["inner.yaml:8:17: item has no `t`"]
    assert found(text, others, {"rows": [{"name": "a", "t": 1}, {"name": "a", "t": 1}]}) == [
        'inner.yaml:7:15: elements 1 and 2 have the same key "a"'
    ]
    assert found(text, others, {"rows": 5}) == ["p.yaml:7:12: param p must be a list, not the number 5"]
    assert found(text, others, {}) == []


def test_paths_are_claimed_for_tasks_that_are_sure_to_render() -> None:
    claimed: list[str] = []
    text = ROWS + "    save: out/${{ item }}.png\n    when: item != 'b'\n"
    text += "  two:\n    workflow: w\n    for_each: ${{ steps.one }}\n    when: steps.one.output.x\n    save: out/${{ item }}.png\n"
    assert said(text, claimed, rows=["a", "b"]) == []
    assert claimed == ["one@a"]


def test_a_rendered_path_that_a_pattern_would_find_is_a_problem() -> None:
    text = ROWS.replace("rows: {type: array}", "rows: {type: array}, f: {type: files, default: 'in/*.png'}")
    text += "    save: ${{ item }}/x.${{ ext }}\n"
    assert said(text, rows=["out"]) == []
    (problem,) = said(text, rows=["in"])
    assert problem.endswith(
        "what one saves here would be found by the spec's own pattern in/*.png, and be its input next time"
    )
