"""Problems between steps, each at its exact place; the specs' first step stands on line 4."""

from __future__ import annotations

import pytest

from speedpix_pipe.plan.graph import Grows, Role
from tests.unit.plan.walking import woven, woven_with_warnings

ONE = 'steps:\n  one:\n    workflow: w\n    for_each: [a, b]\n    input: {x: "${{ item }}"}\n'


def problems(text: str, **others: str) -> list[str]:
    return [str(problem) for problem in woven(text, **others)[1]]


def hints(text: str) -> list[str | None]:
    return [problem.hint for problem in woven(text)[1]]


def test_an_unknown_step_is_named_where_it_stands_with_the_nearest_name() -> None:
    text = ONE + '  two:\n    workflow: w\n    input: {x: "${{ 1 + (steps.onne.outputs | length) }}"}\n'
    assert problems(text) == ['p.yaml:10:26: no step "onne"']
    assert hints(text) == ['did you mean "one"?']


def test_an_unknown_step_in_a_chain_is_named_at_the_reference() -> None:
    text = ONE + "  two:\n    workflow: w\n    for_each: ${{  steps.onne }}\n"
    assert problems(text) == ['p.yaml:10:20: no step "onne"']


def test_an_unknown_step_in_needs_is_named_where_it_stands() -> None:
    assert problems(ONE + "  two:\n    workflow: w\n    needs: [three]\n") == ['p.yaml:10:13: no step "three"']


def test_an_unknown_step_in_outputs_is_a_problem() -> None:
    assert problems(ONE + "outputs:\n  a: ${{ steps.oen.outputs }}\n") == ['p.yaml:9:10: no step "oen"']


@pytest.mark.parametrize(
    ("needs", "shown"),
    [
        ({"a": "b", "b": "c", "c": "a"}, "cycle: a -> b -> c -> a"),
        ({"a": "a"}, "cycle: a -> a"),
        ({"x": "b", "b": "c", "c": "b"}, "cycle: b -> c -> b"),
    ],
)
def test_a_cycle_is_shown_once_from_its_first_step(needs: dict[str, str], shown: str) -> None:
    text = "steps:\n" + "".join(f"  {name}:\n    workflow: w\n    needs: [{other}]\n" for name, other in needs.items())
    (problem,) = problems(text)
    assert problem.endswith(shown)


def test_a_singular_of_fan_outs_that_the_asker_lacks_stands_at_its_expression() -> None:
    text = ONE + '  two:\n    workflow: w\n    input:\n      x: "at ${{ steps.one.item }} or ${{ steps.one.output }}"\n'
    assert problems(text) == [
        (
            'p.yaml:11:14: steps.one.item: one runs for each of `["a", "b"]`, which two does not share; '
            "use steps.one.tasks for all its tasks, or chain two with `for_each: ${{ steps.one }}`"
        ),
        (
            'p.yaml:11:39: steps.one.output: one runs for each of `["a", "b"]`, which two does not share; '
            "use steps.one.outputs for all of them, or chain two with `for_each: ${{ steps.one }}`"
        ),
    ]


def test_a_singular_in_a_condition_without_delimiters_stands_at_the_reference() -> None:
    text = ONE + "  two:\n    workflow: w\n    when: true and steps.one.output.ok\n"
    (problem,) = problems(text)
    assert problem.startswith("p.yaml:10:20: steps.one.output: one runs for each of")


def test_a_singular_in_outputs_has_nobody_to_chain() -> None:
    (problem,) = problems(ONE + "outputs:\n  a: ${{ steps.one.output }}\n")
    assert problem.startswith("p.yaml:9:6: steps.one.output: one runs for each of")
    assert problem.endswith("which outputs does not share; use steps.one.outputs for all of them")


def test_every_fan_out_that_is_lacking_is_named() -> None:
    text = (
        "steps:\n  one:\n    workflow: w\n    for_each: [a]\n    matrix: {look: [sun], n: [1]}\n"
        '  two:\n    workflow: w\n    matrix: {n: [1]}\n    input: {x: "${{ steps.one.file }}"}\n'
    )
    assert 'one runs for each of `["a"]` and `look`, which two does not share; use steps.one.files' in problems(text)[0]


def test_an_axis_that_no_step_has_gets_the_nearest_one() -> None:
    text = 'steps:\n  one:\n    workflow: w\n    matrix: {look: [sun]}\n    input: {x: "a ${{ matrix.lokk }}"}\n'
    assert problems(text) == ['p.yaml:7:23: no axis "lokk"']
    assert hints(text) == ['did you mean "look"?']


def test_an_inherited_axis_is_known_and_that_of_a_stranger_is_not() -> None:
    text = (
        "steps:\n  one:\n    workflow: w\n    matrix: {look: [sun]}\n"
        '  two:\n    workflow: w\n    for_each: ${{ steps.one }}\n    input: {x: "${{ matrix.look }}"}\n'
        '  three:\n    workflow: w\n    for_each: [1]\n    input: {x: "${{ matrix.look }}"}\n'
    )
    assert problems(text) == ["p.yaml:14:21: `matrix` without a matrix: three has none"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['input: {x: "${{ item }}"}'], "p.yaml:6:21: `item` outside a fan-out: one has no for_each"),
        (["when: index > 0"], "p.yaml:6:11: `index` outside a fan-out: one has no for_each"),
        (["save: out/${{ item.stem }}.png"], "p.yaml:6:19: `item` outside a fan-out: one has no for_each"),
        (['matrix: {n: "${{ item }}"}'], "p.yaml:6:22: `item` outside a fan-out: one has no for_each"),
        (
            ["for_each: [a]", "matrix: {n: [1]}", 'key: "${{ matrix.n }}"'],
            "p.yaml:8:15: a key cannot use the step's own axes: they are part of it anyway",
        ),
    ],
)
def test_names_stand_only_where_a_fan_out_provides_them(lines: list[str], expected: str) -> None:
    text = "steps:\n  one:\n    workflow: w\n" + "".join(f"    {line}\n" for line in lines)
    assert problems(text)[0] == expected


def test_a_key_without_for_each_is_not_looked_at() -> None:
    assert problems('steps:\n  one:\n    workflow: w\n    key: "${{ item }}"\n') == []


def test_the_text_item_is_no_use_of_the_name() -> None:
    assert problems("steps:\n  one:\n    workflow: w\n    input: {x: \"${{ 'item' ~ params }}\"}\n") == []


# --- shapes ---


def test_steps_grow_as_their_for_each_says() -> None:
    graph, found = woven(
        ONE + "  two:\n    workflow: w\n    for_each: ${{ steps.one }}\n    matrix: {n: [1]}\n"
        "  three:\n    workflow: w\n    for_each: ${{ steps.two.output.l }}\n"
        '  four:\n    workflow: w\n    input: {x: "${{ steps.three.outputs }}"}\n'
        "  five:\n    workflow: w\n    for_each: ${{ steps.three.outputs }}\n"
    )
    assert not found
    grown = {node.name: (node.grows, len(node.dims)) for node in graph}
    assert grown == {
        "one": (Grows.LIST, 1),
        "two": (Grows.CHAIN, 2),
        "three": (Grows.FLAT, 3),
        "four": (Grows.SINGLE, 0),
        "five": (Grows.LIST, 1),
    }


def test_what_is_needed_stands_first_and_free_steps_keep_the_order_of_the_file() -> None:
    graph, _ = woven(
        "steps:\n  z:\n    workflow: w\n  b:\n    workflow: w\n    needs: [a]\n  y:\n    workflow: w\n  a:\n    workflow: w\n"
    )
    assert [node.name for node in graph] == ["z", "y", "a", "b"]


# --- sub-pipelines ---

INNER = (
    "params: {p: {type: string}}\nsteps:\n  in:\n    workflow: w\n    matrix: {look: [sun]}\n"
    '    input: {x: "${{ params.p }} ${{ matrix.look }}"}\noutputs:\n  all: ${{ steps.in.outputs }}\n'
)
OUTER = (
    "steps:\n  sub:\n    pipeline: ./inner.yaml\n    for_each: [a]\n    matrix: {look: [moon]}\n"
    '    input: {p: "${{ item }}"}\n'
)


def test_a_sub_pipeline_stands_between_the_way_in_and_the_way_out() -> None:
    graph, found = woven(OUTER, inner=INNER)
    assert not found  # its axis `look` is another than the one outside
    assert [(node.name, node.role) for node in graph] == [
        ("sub", Role.ENTER),
        ("sub.in", Role.STEP),
        ("sub", Role.LEAVE),
    ]
    assert graph.node("sub") is graph.nodes[2]


def test_a_sub_pipeline_sees_no_axis_of_the_one_around_it() -> None:
    inner = 'params: {p: {type: string}}\nsteps:\n  in:\n    workflow: w\n    input: {x: "${{ params.p }} ${{ matrix.look }}"}\n'
    assert problems(OUTER, inner=inner) == ["inner.yaml:7:37: `matrix` without a matrix: in has none"]


def test_outputs_of_a_sub_pipeline_are_judged_as_its_own() -> None:
    inner = INNER.replace("steps.in.outputs", "steps.in.output.v")
    (problem,) = problems(OUTER, inner=inner)
    assert problem.startswith(
        "inner.yaml:10:8: steps.in.output: in runs for each of `look`, which outputs does not share"
    )


def test_a_sub_pipeline_that_is_used_twice_is_blamed_once() -> None:
    inner = INNER.replace("steps.in.outputs", "steps.inn.outputs")
    twice = OUTER + OUTER.replace("steps:\n", "").replace("  sub:", "  sub2:")
    assert len(problems(twice, inner=inner)) == 1


# --- warnings ---


def warned(text: str, **others: str) -> list[tuple[str, int, int]]:
    return [
        (p.code, p.line, p.column)
        for p in woven_with_warnings(text, **others)[1]
        if p.code in {"spec.unused-fan-out", "spec.results-nowhere"}
    ]


def test_results_that_go_nowhere_are_warned_of() -> None:
    assert warned(ONE) == [("spec.results-nowhere", 4, 3)]
    assert warned(ONE.replace("    workflow: w\n", "    workflow: w\n    save: out/${{ item }}\n")) == []
    assert warned(ONE + "outputs:\n  a: ${{ steps.one.outputs }}\n") == []
    assert warned(ONE + "  two:\n    workflow: w\n    needs: [one]\n    save: out\n") == []


def test_a_fan_out_that_no_input_uses_is_warned_of() -> None:
    text = ONE.replace("item", "1").replace("    workflow: w\n", "    workflow: w\n    save: out/${{ index }}\n")
    assert warned(text) == [("spec.unused-fan-out", 7, 15)]
    axis = ONE.replace("    workflow: w\n", "    workflow: w\n    save: o/${{ index }}\n    matrix: {look: [sun]}\n")
    assert warned(axis) == [("spec.unused-fan-out", 7, 14)]


@pytest.mark.parametrize("line", ["randomise_seeds: true", "cache: false"])
def test_a_step_whose_tasks_draw_for_themselves_may_leave_its_fan_out_unused(line: str) -> None:
    text = ONE.replace("item", "1").replace("    workflow: w\n", f"    workflow: w\n    save: o\n    {line}\n")
    assert warned(text) == []


def test_what_an_agreeing_step_varies_with_is_used() -> None:
    text = (
        ONE.replace("    workflow: w\n", "    workflow: w\n    matrix: {n: [1]}\n").replace(
            "item }}", "item }}${{ matrix.n }}"
        )
        + '  two:\n    workflow: w\n    save: o/${{ index }}\n    for_each: ${{ steps.one }}\n    input: {x: "${{ steps.one.output }}"}\n'
    )
    assert warned(text) == []
