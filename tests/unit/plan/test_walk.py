"""The walk as a machine: signals in, commands out, nothing run."""

from __future__ import annotations

from speedpix_pipe.model import TaskStatus
from speedpix_pipe.plan.tasks import Born, Decide, Element, Ended, Expand, Run
from speedpix_pipe.plan.walk import Walk
from tests.unit.plan.walking import Play, woven

TWO = (
    "steps:\n  one:\n    workflow: w\n    for_each: [a, b]\n"
    '  two:\n    workflow: w\n    for_each: ${{ steps.one }}\n    input: {x: "${{ steps.one.output }}"}\n'
    '  all:\n    workflow: w\n    input: {x: "${{ steps.two.outputs }}"}\n'
)


def words(commands: list[object]) -> list[str]:
    found = []
    for command in commands:
        match command:
            case Born(task) | Decide(task) | Run(task) | Ended(task):
                found.append(f"{type(command).__name__} {task.name}")
            case Expand(unit):
                found.append(f"Expand {unit.node.name}")
    return found


def test_commands_come_as_soon_as_they_can_be_carried_out() -> None:
    graph, _ = woven(TWO)
    walk = Walk(graph)
    start = walk.start()
    assert words(list(start)) == ["Born all@", "Expand one"]
    unit = next(command.unit for command in start if isinstance(command, Expand))
    born = walk.expanded(unit, [Element("a", "a", (), 0), Element("b", "b", (), 1)])
    assert words(list(born)) == [
        "Born one@a", "Born two@a", "Born one@b", "Born two@b", "Run one@a", "Run one@b",
    ]  # fmt: skip
    one = walk.keys[0]
    assert words(list(walk.ended(one["b"], TaskStatus.SUCCEEDED))) == ["Run two@b"]
    assert words(list(walk.ended(one["a"], TaskStatus.FAILED))) == ["Ended two@a"]
    assert walk.unfinished == 2
    # The gather ends with its last member, and the failed one counts.
    assert words(list(walk.ended(walk.keys[1]["b"], TaskStatus.SUCCEEDED))) == ["Ended all@"]
    assert walk.keys[2][""].status is TaskStatus.SKIPPED
    assert walk.keys[2][""].reason == "one@a failed"
    assert walk.unfinished == 0


def test_what_is_left_is_cancelled() -> None:
    played = Play(woven(TWO)[0], {}, lambda _task: {})
    played.carry_out(played.walk.start())
    left = played.walk.cancel_rest()
    assert sorted(task.name for task in left) == ["all@", "one@a", "one@b", "two@a", "two@b"]
    assert {task.status for task in left} == {TaskStatus.CANCELLED}
    assert played.walk.unfinished == 0


def test_on_demand_only_what_is_needed_starts() -> None:
    graph, _ = woven(TWO)
    played = Play(graph, {}, lambda task: task.key, nodes={0, 1}, demand={1})
    played.walk.wanted = lambda task: task.key == "b"
    played.run()
    assert played.finals == {"one@a": None, "two@a": None, "one@b": "succeeded", "two@b": "succeeded"}


def test_an_unknown_outcome_stands_in_the_way_like_a_failure() -> None:
    played = Play(woven(TWO)[0], {}, lambda _task: {})
    played.carry_out(played.walk.start())
    one = played.walk.keys[0]
    played.carry_out(played.walk.ended(one["a"], TaskStatus.UNKNOWN))
    assert played.walk.keys[1]["a"].reason == "one@a is of unknown outcome"


def test_a_singular_that_no_task_answers_fails_instead_of_waiting() -> None:
    graph, found = woven(
        "params: {rows: {type: array}}\nsteps:\n"
        '  one:\n    workflow: w\n    for_each: ${{ params.rows }}\n    matrix: {n: "${{ item.sizes }}"}\n'
        "  two:\n    workflow: w\n    for_each: ${{ params.rows }}\n"
        '  flat:\n    workflow: w\n    for_each: ${{ steps.two.output }}\n    matrix: {n: "${{ item.sizes }}"}\n'
        '    input: {x: "${{ steps.one.output }}"}\n'
    )  # fmt: skip
    assert not found
    played = Play(graph, {"rows": [{"name": "r", "sizes": [1]}]}, lambda task: [{"sizes": [1, 2]}]).run()
    assert played.finals == {
        "one@r,n=1": "succeeded",
        "two@r": "succeeded",
        "flat@r/0,n=1": "succeeded",
        "flat@r/0,n=2": "failed",
    }


def test_a_list_that_two_steps_share_is_evaluated_once() -> None:
    graph, _ = woven(
        "params: {rows: {type: array}}\nsteps:\n  one:\n    workflow: w\n    for_each: ${{ params.rows }}\n"
        '  two:\n    workflow: w\n    for_each: ${{ params.rows }}\n    input: {x: "${{ steps.one.output }}"}\n'
    )

    class Growing(dict):  # type: ignore[type-arg]
        """A list that is longer each time it is looked at, as a folder may be."""

        asked = 0

        def __getitem__(self, name: str) -> object:
            Growing.asked += 1
            return [str(n) for n in range(Growing.asked)]

    played = Play(graph, Growing(rows=1), lambda task: task.key).run()
    assert played.finals == {"one@0": "succeeded", "two@0": "succeeded"}


def test_a_fan_out_has_an_end() -> None:
    graph, _ = woven(
        "steps:\n  one:\n    workflow: w\n    for_each: ${{ range(2000) }}\n"
        '    matrix: {a: "${{ range(1000) }}"}\n    input: {x: "${{ item }}"}\n'
    )
    played = Play(graph, {}, lambda task: task.key).run()
    assert [task.reason.partition(": ")[2] for task in played.walk.every_task()][:1] == [
        "a fan-out has at most 1,000,000 tasks, one would have more"
    ]
