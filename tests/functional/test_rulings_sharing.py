"""How the language is to be read where it could be read in two ways: what is shared, how often, and under which key."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.functional.specs_by_parts import LISTS, fails_for, over, single, step, xs

pytestmark = pytest.mark.slow


# --- 1: the same as written ---


def test_white_space_inside_an_expression_does_not_tell_two_fan_outs_apart(go: Any) -> None:
    came = go(LISTS + over("one", each="params.a") + over("two", each="  params . a ", x="steps.one.output.v"))
    assert xs(came, "two") == {"p": "p", "q": "q"}


@pytest.mark.parametrize("other", ["params['a']", "params.b", "[params.a[0], params.a[1]]"])
def test_equal_lists_that_are_written_otherwise_share_nothing(go: Any, other: str) -> None:
    came = go(LISTS + over("one") + over("two", each=other, x="steps.one.outputs | length"))
    assert xs(came, "two") == {"p": 2, "q": 2}
    refused = go(LISTS + over("one") + over("two", each=other, x="steps.one.output.v"))
    assert refused.exit_code == 2
    assert refused.submitted == 0


def test_a_literal_list_written_twice_is_the_same_and_its_order_counts(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "matrix.l", "matrix: {l: [sun, snow]}")
        + single("two", "steps.one.output.v", "matrix: {l: [sun, snow]}")
        + single("three", "steps.one.outputs | length", "matrix: {l: [snow, sun]}")
        + step("four", "for_each: [1, 2]", 'input: {x: "${{ item }}"}')
        + step("five", "for_each: [1, 2]", 'input: {x: "${{ steps.four.output.v }}"}')
    )
    assert xs(came, "two") == {"l=sun": "sun", "l=snow": "snow"}
    assert xs(came, "three") == {"l=snow": 2} or set(xs(came, "three").values()) == {2}
    assert xs(came, "five") == {"1": 1, "2": 2}


def test_key_plays_no_part_in_what_is_shared(go: Any) -> None:
    came = go(LISTS + over("one", 'key: "${{ item }}!"') + over("two", x="steps.one.output.v"))
    assert xs(came, "one") == {"p!": "p", "q!": "q"}
    assert xs(came, "two") == {"p": "p", "q": "q"}


# --- 2: agreement by place ---


def test_steps_agree_by_position_not_by_value(go: Any) -> None:
    spec = "params: {a: {type: array, default: [{name: k, v: 1}, {name: l, v: 1}]}}\nsteps:\n"
    came = go(spec + over("one", x="index") + over("two", x="steps.one.key"))
    assert xs(came, "two") == {"k": "k", "l": "l"}


def test_steps_agree_by_the_value_on_an_axis(go: Any) -> None:
    spec = LISTS + over("one", 'matrix: {n: "${{ params.b }}"}', x="[item, matrix.n]")
    came = go(spec + single("two", "steps.one.outputs | map(attribute='v')", 'matrix: {n: "${{ params.b }}"}'))
    assert xs(came, "two") == {"n=p": [["p", "p"], ["q", "p"]], "n=q": [["p", "q"], ["q", "q"]]}


# --- 3: origins of flat-maps ---


def test_of_several_singulars_the_one_with_the_most_fan_outs_is_the_origin(go: Any) -> None:
    came = go(
        LISTS
        + over("wide", 'matrix: {n: "${{ params.b }}"}', workflow="list", x="[item, matrix.n]")
        + over("narrow", workflow="list")
        + over("flat", each="[steps.narrow.output.v, steps.wide.output.v]", x="item")
        + over("after", each="steps.narrow", x="steps.flat.tasks | map(attribute='key')"),
        {"list": [{"give": {"v": "{x}"}}]},
    )
    assert list(came.of("flat")) == [f"{a},n={b}/{i}" for a in "pq" for b in "pq" for i in (0, 1)]
    assert xs(came, "after")["p"] == ["p,n=p/0", "p,n=p/1", "p,n=q/0", "p,n=q/1"]


def test_an_origin_must_have_all_fan_outs_of_the_others(go: Any) -> None:
    spec = LISTS + over("one") + over("two", each="params.b")
    came = go(spec + over("flat", each="[steps.one.output.v, steps.two.output.v]"))
    assert came.exit_code == 2
    assert "does not have all fan-outs of" in came.errors[0]


@pytest.mark.parametrize("name", ["item", "index", "matrix"])
def test_inside_for_each_there_is_no_item_index_or_matrix(go: Any, name: str) -> None:
    came = go(LISTS + over("one", "matrix: {n: [1]}") + over("two", each=f"[steps.one.output.v, {name}]", x="1"))
    assert came.exit_code == 2
    assert f"there is no `{name}` inside for_each" in came.errors[0]


def test_outputs_in_the_list_of_a_flat_map_agree_with_its_origin(go: Any) -> None:
    came = go(
        LISTS
        + over("many", "matrix: {n: [1, 2]}", x="[item, matrix.n]")
        + over("one", each="params.a")
        + over("flat", each="[steps.one.output.v] + (steps.many.outputs | map(attribute='v') | list)")
        + over("plain", each="steps.many.outputs | map(attribute='v') | map('join', '-')")
    )
    assert xs(came, "flat")["p/0"] == "p"
    assert [xs(came, "flat")[f"q/{i}"] for i in range(3)] == ["q", ["q", 1], ["q", 2]]
    assert list(came.of("plain")) == ["p-1", "p-2", "q-1", "q-2"]


# --- 4 to 6: matrices ---


def test_a_flat_mapped_task_keeps_its_origins_matrix_and_has_a_new_item(go: Any) -> None:
    came = go(
        LISTS
        + over("one", "matrix: {n: [7]}", workflow="list", x="[item, item]")
        + over("two", each="steps.one.output.v", x="[item, index, matrix.n]"),
        {"list": [{"give": {"v": "{x}"}}]},
    )
    assert xs(came, "two")["q,n=7/1"] == ["q", 1, 7]


def test_an_axis_that_is_inherited_already_is_an_error(go: Any) -> None:
    came = go(LISTS + over("one", "matrix: {n: [1]}") + over("two", "matrix: {n: [2]}", each="steps.one"))
    assert came.exit_code == 2
    assert 'axis "n" is already inherited from one' in came.errors[0]


def test_a_matrix_list_may_use_item_and_agreeing_steps(go: Any) -> None:
    came = go(
        "params: {a: {type: array, default: [{name: k, sizes: [1, 2]}, {name: l, sizes: []}]}}\nsteps:\n"
        + over("sized", 'matrix: {n: "${{ item.sizes }}"}', x="matrix.n")
        + over("asked", x="item.sizes")
        + over("answered", 'matrix: {n: "${{ steps.asked.output.v }}"}', each="steps.asked", x="matrix.n")
        + over("again", 'matrix: {m: "${{ [matrix.n, index] }}"}', each="steps.answered", x="matrix.m")
    )
    assert came.exit_code == 0
    assert xs(came, "sized") == {"k,n=1": 1, "k,n=2": 2}
    assert xs(came, "answered") == {"k,n=1": 1, "k,n=2": 2}
    assert set(came.of("again")) == {"k,m=1,n=1", "k,m=0,n=1", "k,m=2,n=2", "k,m=0,n=2"}


def test_an_axis_cannot_use_the_axes_beside_it(go: Any) -> None:
    came = go("steps:\n" + single("one", "matrix.m", 'matrix: {n: [1], m: "${{ [matrix.n] }}"}'))
    assert came.exit_code == 2
    assert "an axis cannot use the axes beside it" in came.errors[0]


def test_an_empty_list_makes_no_task(go: Any) -> None:
    came = go(
        "params: {none: {type: array, default: []}}\nsteps:\n"
        + over("one", each="params.none")
        + single("two", "matrix.n", 'matrix: {n: "${{ params.none }}", m: [1]}')
        + single("three", "steps.one.outputs")
        + single("four", "1", "needs: [one, two]")
    )
    assert came.statuses == {"three@": "skipped", "four@": "succeeded"}
    assert came.exit_code == 0


def test_tasks_stand_in_item_order_then_axis_order_the_first_axis_slowest(go: Any) -> None:
    came = go(
        LISTS
        + over("one", "matrix: {z: [2, 1], m: [b, a]}", x="[item, matrix.z, matrix.m]")
        + over("two", "matrix: {c: [0]}", each="steps.one", x="steps.one.key")
        + single("all", "steps.two.tasks | map(attribute='key')")
    )
    assert list(came.of("one"))[:4] == ["p,m=b,z=2", "p,m=a,z=2", "p,m=b,z=1", "p,m=a,z=1"]
    assert xs(came, "all")[""][4:6] == ["q,c=0,m=b,z=2", "q,c=0,m=a,z=2"]


# --- 7: needs ---


def test_needs_waits_for_the_agreeing_tasks_and_minds_failures_only(go: Any) -> None:
    came = go(
        LISTS
        + over("gate", workflow="gate")
        + over("soft", "on_error: ignore", workflow="gate")
        + over("off", "when: item == 'q'", "needs: [soft]")
        + over("after", "needs: [gate]", x="index")
        + over("anyway", "needs: [off]", each="params.b", x="index"),
        {"gate": fails_for("p")},
    )
    assert came.of("after") == {"p": "skipped", "q": "succeeded"}
    assert came.of("off") == {"p": "skipped", "q": "succeeded"}
    assert came.of("anyway") == {"p": "succeeded", "q": "succeeded"}
    assert came.exit_code == 1


# --- 8 to 12: keys ---


def test_an_empty_part_brings_no_separator(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("alone", "matrix.look", "matrix: {look: [sun]}")
        + single("one", "[5, 6]")
        + over("flat", each="steps.one.output.v")
    )
    assert list(came.of("alone")) == ["look=sun"]
    assert list(came.of("flat")) == ["0", "1"]


def test_a_chained_key_has_all_axes_in_order_and_a_flat_one_its_origins_whole_key(go: Any) -> None:
    came = go(
        "params: {a: {type: array, default: [p1]}}\nsteps:\n"
        + over("one", "matrix: {size: [1]}", x="[item, item]")
        + over("two", "matrix: {look: [sun]}", each="steps.one", x="[1]")
        + over("flat", "matrix: {zoom: [2]}", each="steps.two.output.v", x="index")
    )
    assert list(came.of("two")) == ["p1,look=sun,size=1"]
    assert list(came.of("flat")) == ["p1,look=sun,size=1/0,zoom=2"]


def test_key_replaces_the_items_own_part_and_nothing_else(go: Any) -> None:
    came = go(
        LISTS
        + over("one", 'key: "${{ item | upper }}"', "matrix: {n: [1]}", x="[item]")
        + over("chained", 'key: "${{ index }}"', each="steps.one", x="index")
        + over("flat", 'key: "f-${{ item }}"', each="steps.one.output.v", x="item")
        + over("below", 'key: "${{ index }}-c"', each="steps.flat", x="[item, index]")
        + single("unused", "1", 'key: "${{ [] }}"')
    )
    assert list(came.of("one")) == ["P,n=1", "Q,n=1"]
    assert list(came.of("chained")) == ["0,n=1", "1,n=1"]
    assert list(came.of("flat")) == ["P,n=1/f-p", "Q,n=1/f-q"]
    assert list(came.of("below")) == ["P,n=1/0-c", "Q,n=1/0-c"]
    assert came.of("unused") == {"": "succeeded"}


@pytest.mark.parametrize("value", ["[item]", "null", "{'name': item}"])
def test_a_key_that_is_no_text_number_or_boolean_is_an_error(go: Any, value: str) -> None:
    came = go(LISTS + over("one", f'key: "${{{{ {value} }}}}"'))
    assert came.exit_code == 2
    assert "a key is a text, a number or a boolean" in came.errors[0]


def test_numbers_and_booleans_in_keys_are_written_as_json(go: Any) -> None:
    came = go("steps:\n" + step("one", "for_each: [1, 2.5, 1.0, true]", 'input: {x: "${{ index }}"}'))
    assert list(came.of("one")) == ["1", "2.5", "1.0", "true"]


def test_a_long_key_is_cut_with_a_digest_of_the_whole(go: Any) -> None:
    long = "k" * 130
    came = go(f"steps:\n{step('one', f'for_each: [{long}]', 'matrix: {n: [1]}', 'input: {x: 1}')}")
    whole = f"{long},n=1"
    assert list(came.of("one")) == [f"{whole[:111]}~{hashlib.sha256(whole.encode()).hexdigest()[:8]}"]
    assert len(next(iter(came.of("one")))) == 120


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (("for_each: [p, q, p]", "input: {x: 1}"), "pipeline.yaml:6:15"),
        (("for_each: [{name: p}, {name: p}]", "input: {x: 1}"), "pipeline.yaml:6:15"),
        (("for_each: [1, '1']", "input: {x: 1}"), "pipeline.yaml:6:15"),
        (("for_each: [p, q]", 'key: "${{ 1 }}"', "input: {x: 1}"), "pipeline.yaml:6:15"),
        (("matrix: {n: [1, 1]}", "input: {x: 1}"), "pipeline.yaml:6:17"),
    ],
)
def test_equal_keys_in_a_known_list_are_an_error_at_validation(go: Any, lines: tuple[str, ...], place: str) -> None:
    came = go("steps:\n" + step("one", *lines) + single("two", "1"))
    assert came.exit_code == 2
    assert came.submitted == 0
    assert "same key" in came.errors[0]
    assert came.errors[0].startswith(place)


def test_equal_keys_of_chained_tasks_are_an_error_at_validation_too(go: Any) -> None:
    came = go(LISTS + over("one") + over("two", 'key: "${{ 1 }}"', each="steps.one"))
    assert came.exit_code == 2
    assert "have the key" in came.errors[0]


def test_equal_keys_that_show_only_in_an_output_fail_the_list(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "[1, 1]")
        + over("two", 'key: "${{ item }}"', each="steps.one.output.v")
        + single("three", "steps.two.outputs")
    )
    assert came.of("two") == {"": "failed"}
    assert came.of("three") == {"": "skipped"}
    assert came.exit_code == 1
