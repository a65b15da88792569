"""How the language is to be read where it could be read in two ways: each ruling, run as a user would run it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.scripted import HEAD, Came, carry_out

pytestmark = pytest.mark.slow

LISTS = "params: {a: {type: array, default: [p, q]}, b: {type: array, default: [p, q]}}\nsteps:\n"


def step(name: str, *lines: str, workflow: str = "") -> str:
    """A step with a workflow of its own, which answers `v` with the `x` that it got unless a script says otherwise."""
    return f"  {name}:\n    workflow: {workflow or name}\n" + "".join(f"    {line}\n" for line in lines)


def over(name: str, *lines: str, workflow: str = "", each: str = "params.a", x: str = "item") -> str:
    """A step over a list that sends one field, x."""
    return step(name, f"for_each: ${{{{ {each} }}}}", f'input: {{x: "${{{{ {x} }}}}"}}', *lines, workflow=workflow)


def single(name: str, x: str, *lines: str, workflow: str = "") -> str:
    return step(name, f'input: {{x: "${{{{ {x} }}}}"}}', *lines, workflow=workflow)


def fails_for(*values: Any, give: Any = None) -> list[dict[str, Any]]:
    return [*({"for": {"x": value}, "fail": "no luck"} for value in values), {"give": give or {"v": "{x}"}}]


@pytest.fixture
def go(tmp_path: Path) -> Any:
    def carry(spec: str, answers: Any = None, **more: Any) -> Came:
        return carry_out(tmp_path, spec, answers, **more)

    return carry


def xs(came: Came, name: str) -> dict[str, Any]:
    return {key: sent["x"] for key, sent in came.inputs(name).items()}


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


# --- 13 to 16: waiting, skipping, failing ---


def test_a_task_refers_to_what_its_expressions_name_whichever_way_they_go(go: Any) -> None:
    came = go(
        LISTS
        + over("bad", workflow="bad")
        + over("fine")
        + over("either", x="steps.fine.output.v if true else steps.bad.output.v")
        + over("even_key", x="steps.fine.output.v or steps.bad.key"),
        {"bad": fails_for("p")},
    )
    assert came.of("either") == came.of("even_key") == {"p": "skipped", "q": "succeeded"}


def test_when_comes_first_and_is_touched_only_by_what_it_refers_to(go: Any) -> None:
    came = go(
        LISTS
        + over("bad", workflow="bad")
        + over("off", "when: item == 'q'", x="[steps.bad.output.v, item.nothing.at_all if item == 'p' else 1]")
        + over("after_off", each="steps.off", x="index"),
        {"bad": fails_for("p")},
    )
    assert came.reasons["off@p"] == "`when` is false"
    assert came.of("off") == {"p": "skipped", "q": "succeeded"}
    # Skipped by `when`, not by the failure: whoever follows it is merely skipped.
    assert came.reasons["after_off@p"] == "off@p has no output"


def test_what_a_when_may_keep_from_being_rendered_is_no_error_before_the_run(go: Any) -> None:
    came = go(
        "params: {a: {type: array, default: [{name: k, t: hello}, {name: l}]}}\nsteps:\n"
        + over("one", "when: item.t is defined", x="item.t")
        + over("two", each="steps.one", x="item.t ~ '!'")
        + over("three", 'matrix: {n: "${{ [item.t] }}"}', each="steps.one", x="matrix.n")
    )
    assert came.exit_code == 0
    assert xs(came, "two") == {"k": "hello!"}
    assert came.of("three") == {"k,n=hello": "succeeded", "l": "skipped"}


@pytest.mark.parametrize("value", ["'yes'", "null", "[]", "1"])
def test_a_when_that_is_neither_true_nor_false_fails_the_task(go: Any, value: str) -> None:
    came = go("steps:\n" + single("one", value) + single("two", "1", "when: steps.one.output.v"))
    assert came.of("two") == {"": "failed"}
    assert "must be true or false" in came.reasons["two@"]
    assert came.exit_code == 1


def test_a_skip_by_a_failure_counts_as_that_failure_whatever_its_own_on_error(go: Any) -> None:
    came = go(
        LISTS
        + over("bad", workflow="bad")
        + over("lax", "on_error: ignore", x="steps.bad.output.v")
        + over("after", x="steps.lax.output.v | default('none')")
        + single("all", "steps.lax.outputs"),
        {"bad": fails_for("p")},
    )
    assert came.of("lax") == came.of("after") == {"p": "skipped", "q": "succeeded"}
    assert came.of("all") == {"": "skipped"}
    assert "bad@p failed" in came.reasons["after@p"]


def test_where_a_skip_and_a_failure_meet_the_failure_counts(go: Any) -> None:
    came = go(
        LISTS
        + over("off", "when: item == 'q'")
        + over("bad", workflow="bad")
        + over("both", x="[steps.off.output.v, steps.bad.output.v]")
        + over("after", x="steps.both.output.v | default('none')")
        + over("only_off", x="steps.off.output.v")
        + over("after_off", x="steps.only_off.output.v | default('none')"),
        {"bad": fails_for("p")},
    )
    assert came.of("both")["p"] == "skipped"
    assert "bad@p failed" in came.reasons["both@p"]
    assert came.of("after") == {"p": "skipped", "q": "succeeded"}
    assert xs(came, "after_off") == {"p": "none", "q": "q"}


def test_an_undefined_of_a_task_without_output_skips_any_other_fails(go: Any) -> None:
    came = go(
        LISTS
        + over("off", "when: item == 'q'")
        + over("skips", x="steps.off.output.v.w | default(steps.off.output.z)")
        + over(
            "fails",
            each="params.a",
            x="steps.off.output.nowhere | default(1) if item == 'p' else steps.off.output.nowhere",
        )
        + over("known", x="[steps.off.item, steps.off.index, steps.off.key]")
        + over("no_file", "when: item == 'q'", x="steps.off.file")
    )
    assert came.of("skips") == {"p": "skipped", "q": "failed"}
    assert came.of("fails") == {"p": "succeeded", "q": "failed"}
    assert xs(came, "known") == {"p": ["p", 0, "p"], "q": ["q", 1, "q"]}
    assert came.of("no_file") == {"p": "skipped", "q": "failed"}


def test_an_undefined_that_depends_on_no_output_is_an_error_before_anything_is_sent(go: Any) -> None:
    came = go(LISTS + over("one") + over("two", each="params.b", x="item.nowhere"))
    assert came.exit_code == 2
    assert came.submitted == 0
    assert came.errors[0].startswith("pipeline.yaml:12:17")


def test_an_undefined_in_a_condition_that_depends_on_no_output_is_one_too(go: Any) -> None:
    came = go(LISTS + over("one") + over("two", "when: item.nowhere.at_all", each="params.b", x="1"))
    assert came.exit_code == 2
    assert came.submitted == 0


# --- 17 to 19: stand-ins, gathers of nothing, counts ---


def test_a_list_without_its_origins_output_stands_as_one_skipped_task_times_the_matrix(go: Any) -> None:
    came = go(
        LISTS
        + over("off", "when: item == 'q'", x="[item]")
        + over("flat", "matrix: {n: [1, 2]}", each="steps.off.output.v", x="item")
        + over("flatter", each="steps.flat.output.v", x="item")
        + single("all", "steps.flat.tasks | map(attribute='key')")
    )
    assert came.of("flat") == {
        "p,n=1": "skipped",
        "p,n=2": "skipped",
        "q/0,n=1": "succeeded",
        "q/0,n=2": "succeeded",
    }
    assert came.of("flatter") == {
        "p,n=1": "skipped",
        "p,n=2": "skipped",
        "q/0,n=1": "failed",  # the output is a text, and a text is no list
        "q/0,n=2": "failed",
    }
    assert xs(came, "all") == {"": ["q/0,n=1", "q/0,n=2"]}


def test_a_stand_in_passes_on_a_failure(go: Any) -> None:
    came = go(
        LISTS
        + over("bad", workflow="bad", x="item")
        + over("flat", each="steps.bad.output.v", x="item")
        + over("per", each="steps.bad", x="steps.flat.outputs")
        + single("plain", "[1]", workflow="never")
        + over("nothing", each="steps.plain.outputs", x="item")
        + single("all", "steps.nothing.outputs"),
        {"bad": fails_for("p", give={"v": ["{x}"]}), "never": [{"fail": "never"}]},
    )
    assert came.of("flat") == {"p": "skipped", "q/0": "succeeded"}
    assert came.of("per") == {"p": "skipped", "q": "succeeded"}
    assert came.of("nothing") == came.of("all") == {"": "skipped"}
    assert came.summary is not None
    assert came.summary.to_json()["tasks"] == {
        "total": 9, "succeeded": 3, "cached": 0, "failed": 2, "skipped": 4, "cancelled": 0, "unknown": 0,
    }  # fmt: skip


@pytest.mark.parametrize("value", ["'text'", "5", "null", "{'a': 1}"])
def test_what_is_no_list_stands_as_one_failed_task(go: Any, value: str) -> None:
    came = go(
        "steps:\n"
        + single("one", value)
        + over("two", "matrix: {n: [1, 2]}", each="steps.one.output.v", x="item")
        + over("three", "on_error: ignore", each="steps.one.output.v.w", x="item")
        + over("four", each="steps.three", x="1")
    )
    assert came.of("two") == {"n=1": "failed", "n=2": "failed"}
    assert came.of("three") == {"": "failed"}
    assert came.of("four") == {"": "skipped"}
    assert came.exit_code == 1


def test_what_shares_a_list_that_one_step_cannot_key_does_not_wait_for_ever(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "[{'a': 1}, {'a': 2}]")
        + over("nameless", each="steps.one.output.v", x="item.a")
        + over("keyed", 'key: "${{ item.a }}"', each="steps.one.output.v", x="steps.nameless.output.v | default(0)")
        + over("gathered", 'key: "${{ item.a }}"', each="steps.one.output.v", x="steps.nameless.outputs")
    )
    assert came.of("nameless") == {"0": "succeeded", "1": "succeeded"}  # flat-mapped: keys are positions
    came = go(
        "steps:\n"
        + step("one", 'input: {x: "${{ matrix.n }}"}', "matrix: {n: [1, 2]}", workflow="rows")
        + over("nameless", each="steps.one.outputs", x="item.a")
        + over("keyed", 'key: "${{ item.a }}"', each="steps.one.outputs", x="steps.nameless.output.v | default(0)")
        + over("gathered", 'key: "${{ item.a }}"', each="steps.one.outputs", x="steps.nameless.outputs"),
        {"rows": [{"give": {"a": "{x}"}}]},
    )
    assert came.of("nameless") == {"": "failed"}
    assert came.of("keyed") == came.of("gathered") == {"1": "skipped", "2": "skipped"}


def test_tasks_without_files_give_an_empty_list_and_the_step_runs(go: Any) -> None:
    came = go(LISTS + over("one") + single("all", "steps.one.files") + single("off", "1", "when: false")
              + single("none", "steps.off.files"))  # fmt: skip
    assert xs(came, "all") == {"": []}
    assert came.of("none") == {"": "skipped"}


def test_ignored_failures_are_counted_and_do_not_fail_the_run(go: Any) -> None:
    came = go(LISTS + over("one", "on_error: ignore", workflow="bad"), {"bad": fails_for("p")})
    assert came.summary is not None
    assert came.summary.to_json()["tasks"]["failed"] == 1
    assert came.exit_code == 0


# --- 20 to 24: values ---


def test_white_space_around_the_only_expression_does_not_count(go: Any) -> None:
    came = go("steps:\n" + step("one", 'input:\n      x: " ${{ [1, 2] }}\\n"\n      y: |\n        ${{ 7 }}'))
    assert came.inputs("one") == {"": {"x": [1, 2], "y": 7}}


def test_when_is_written_with_or_without_delimiters_and_never_inside_a_text(go: Any) -> None:
    came = go(LISTS + over("one", "when: ${{ item == 'p' }}") + over("two", "when: item == 'p'"))
    assert came.of("one") == came.of("two") == {"p": "succeeded", "q": "skipped"}
    assert go(LISTS + over("one", "when: yes ${{ item == 'p' }}")).exit_code == 2


def test_only_fields_of_the_input_itself_are_left_out_when_null(go: Any) -> None:
    came = go("steps:\n" + step("one", 'input: {x: null, y: [null, 1], z: {a: null}, w: "${{ null }}"}'))
    assert came.inputs("one") == {"": {"y": [None, 1], "z": {"a": None}}}


def test_files_of_an_output_count_in_its_order_and_a_preview_is_none(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "1", "return_temp_files: true", workflow="pictures")
        + step("two", 'input: {first: "${{ steps.one.file }}", all: "${{ steps.one.files | length }}", '
               'url: "${{ steps.one.output.b.url }}"}'),
        {"pictures": [{"give": {"b": {"picture": "bb"}, "a": [{"picture": "aa"}], "n": 3}}]},
    )  # fmt: skip
    sent = came.inputs("two")[""]
    assert sent["all"] == 2
    assert sent["first"] == sent["url"] == came.urls["one@"]


def test_files_inside_tasks_offer_the_names_of_a_file_and_items_without_for_each_are_null(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "1", workflow="pictures")
        + step("two", 'input: {wide: "${{ steps.one.tasks[0].files[0].width }}", '
               'sha: "${{ steps.one.tasks[0].files[0].sha256 == steps.one.file.sha256 }}", '
               'item: "${{ steps.one.tasks[0].item is none }}", index: "${{ steps.one.tasks[0].index is none }}"}'),
        {"pictures": [{"give": {"p": {"picture": "aa"}}}]},
    )  # fmt: skip
    assert came.inputs("two") == {"": {"wide": 8, "sha": True, "item": True, "index": True}}


def test_pairs_of_zip_are_lists_and_unequal_lengths_are_an_error(go: Any) -> None:
    came = go("steps:\n" + single("one", "zip([1, 2], ['a', 'b'])"))
    assert xs(came, "one") == {"": [[1, "a"], [2, "b"]]}
    assert go("steps:\n" + single("one", "zip([1, 2], ['a'])")).exit_code == 2


# --- on_error: stop ---


def test_on_error_stop_submits_nothing_more_and_leaves_the_run_resumable(go: Any) -> None:
    came = go(
        "params: {a: {type: array, default: [a, b, c, d]}}\nsteps:\n"
        + over("one", "on_error: stop", workflow="bad")
        + over("two", each="steps.one", x="steps.one.output.v"),
        {"bad": fails_for("a")},
        concurrency=1,
    )
    assert came.of("one")["a"] == "failed"
    assert "cancelled" in came.of("one").values()
    assert came.exit_code == 1
    assert came.summary is not None
    assert came.summary.to_json()["resumable"] is True


def test_a_list_that_fails_in_a_step_that_stops_stops_the_run(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "5")
        + over("two", "on_error: stop", each="steps.one.output.v")
        + single("three", "steps.one.output.v")
    )
    assert came.of("two") == {"": "failed"}
    assert came.of("three") == {"": "cancelled"}
    assert came.submitted == 1


# --- sub-pipelines ---

INNER = (
    "params: {word: {type: string}, times: {type: array, default: [1, 2]}}\n"
    "steps:\n"
    "  say:\n    workflow: say\n    for_each: ${{ params.times }}\n    matrix: {look: [sun]}\n"
    '    input: {x: "${{ params.word }}${{ item }}${{ matrix.look }}"}\n'
    "  sum:\n    workflow: echo\n    input: {x: \"${{ steps.say.outputs | map(attribute='v') | join('+') }}\"}\n"
    "outputs:\n  text: ${{ steps.sum.output.v }}\n"
)


def outer(*lines: str) -> str:
    given = "".join(f"    {line}\n" for line in lines)
    return (
        LISTS
        + "  sub:\n    pipeline: ./inner.yaml\n    for_each: ${{ params.a }}\n    matrix: {look: [moon]}\n"
        + f'    input: {{word: "${{{{ item }}}}"}}\n{given}'
        + over("after", each="steps.sub", x="[steps.sub.output.text, matrix.look]")
        + single("all", "steps.sub.outputs | map(attribute='text')")
    )


def test_a_sub_pipeline_runs_once_for_each_task_below_its_key(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(outer(), {"say": [{"give": {"v": "{x}"}}]})
    assert came.errors == []
    assert list(came.of("sub.say")) == [
        f"{outer_key},look=moon/{item},look=sun" for outer_key in "pq" for item in (1, 2)
    ]
    assert xs(came, "sub.sum") == {"p,look=moon": "p1sun+p2sun", "q,look=moon": "q1sun+q2sun"}
    assert came.of("sub") == {"p,look=moon": "succeeded", "q,look=moon": "succeeded"}
    assert xs(came, "after")["q,look=moon"] == ["q1sun+q2sun", "moon"]
    assert xs(came, "all") == {"": ["p1sun+p2sun", "q1sun+q2sun"]}
    assert came.exit_code == 0


def test_a_failure_inside_a_sub_pipeline_skips_what_needs_it(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(outer(), {"say": fails_for("p2sun")})
    assert came.statuses["sub.say@p,look=moon/2,look=sun"] == "failed"
    assert came.of("sub.sum") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert came.of("sub") == came.of("after") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert came.of("all") == {"": "skipped"}
    assert came.exit_code == 1


def test_a_sub_pipeline_may_ignore_the_failures_inside_it(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(outer("on_error: ignore"), {"say": fails_for("p2sun")})
    assert came.of("sub") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert xs(came, "all") == {"": ["q1sun+q2sun"]}
    assert came.exit_code == 0


def test_a_sub_pipeline_that_is_skipped_runs_nothing(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(outer("when: item == 'q'"), {"say": [{"give": {"v": "{x}"}}]})
    assert came.of("sub") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert came.of("sub.sum") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert xs(came, "all") == {"": ["q1sun+q2sun"]}
    assert came.exit_code == 0


def test_a_bad_input_of_a_sub_pipeline_is_told_once(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(
        LISTS
        + single("one", "5")
        + '  sub:\n    pipeline: ./inner.yaml\n    input: {word: "${{ steps.one.output.v }}"}\n'
        + single("after", "steps.sub.output.text")
    )
    assert came.ends.count("sub@") == 1
    assert came.of("sub") == {"": "failed"}
    assert came.of("sub.sum") == came.of("after") == {"": "skipped"}
    assert came.exit_code == 1


def test_a_wrong_value_for_a_sub_pipeline_that_is_known_is_an_error_before_the_run(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(
        LISTS + "  sub:\n    pipeline: ./inner.yaml\n    for_each: ${{ params.a }}\n"
        '    input: {word: "${{ item }}", times: "${{ [1, 1] }}"}\n'
    )
    assert came.exit_code == 2
    assert came.errors[0].startswith("inner.yaml:7:15")
    assert "same key" in came.errors[0]


def test_files_of_a_sub_pipelines_output_are_files_outside(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(
        HEAD + "steps:\n  draw:\n    workflow: pictures\n    input: {x: 1}\n"
        "outputs:\n  pic: ${{ steps.draw.output.p }}\n  file: ${{ steps.draw.file }}\n",
        encoding="utf-8",
    )
    came = go(
        "steps:\n  sub:\n    pipeline: ./inner.yaml\n" + single("after", "[steps.sub.file, steps.sub.files | length]"),
        {"pictures": [{"give": {"p": {"picture": "aa"}}}]},
    )
    assert xs(came, "after") == {"": [came.urls["sub.draw@"], 2]}


def test_a_pipeline_step_saves_and_expects_like_any_other(go: Any, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "inner.yaml").write_text(
        HEAD
        + "params: {p: {type: string}}\nsteps:\n  draw:\n    workflow: pictures\n"
        + '    input: {x: "${{ params.p }}"}\noutputs:\n  pic: ${{ steps.draw.output.p }}\n  note: hello\n',
        encoding="utf-8",
    )
    came = go(
        LISTS
        + "  sub:\n    pipeline: parts/inner.yaml\n    for_each: ${{ params.a }}\n"
        + '    input: {p: "${{ item }}"}\n'
        + "    expect: {pic: {min_width: \"${{ 1000 if item == 'q' else 1 }}\"}}\n"
        + "    save: {pic: 'out/${{ item }}.${{ ext }}', note: 'out/${{ item }}-note.${{ ext }}'}\n"
        + over("after", each="steps.sub", x="steps.sub.file.url == steps.sub.output.pic.url"),
        {"pictures": [{"give": {"p": {"picture": "{x}"}}}]},
    )
    assert came.of("sub") == {"p": "succeeded", "q": "failed"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p-note.txt", "p.png"]
    assert xs(came, "after") == {"p": True}
    assert came.exit_code == 1


# --- save ---


def test_two_tasks_that_would_save_to_one_path_are_an_error_before_paying(go: Any) -> None:
    came = go(LISTS + over("one", "save: out/x.${{ ext }}"))
    assert came.exit_code == 2
    assert came.submitted == 0
    assert "saves to out/x.ext too" in json.dumps(came.errors)


def test_branches_of_which_only_one_will_run_may_save_to_one_path(go: Any, tmp_path: Path) -> None:
    came = go(
        LISTS
        + over("check")
        + over("soft", "when: steps.check.output.v == 'p'", "save: out/${{ item }}.txt", each="steps.check")
        + over("hard", "when: steps.check.output.v != 'p'", "save: out/${{ item }}.txt", each="steps.check"),
    )
    assert came.exit_code == 0


@pytest.mark.parametrize(
    ("param", "save"),
    [
        ("photos: {type: files, default: '*.png'}", "${{ item.stem }}-white.${{ ext }}"),
        ("photos: {type: files, default: ['*.png', 'sub/**/*.jpg']}", "sub/x/${{ item.stem }}.jpg"),
    ],
)
def test_a_pattern_that_would_find_what_is_saved_is_an_error(go: Any, tmp_path: Path, param: str, save: str) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.jpg").write_bytes(b"x")
    came = go(f"params:\n  {param}\nsteps:\n" + over("one", f"save: {save}", each="params.photos", x="item.stem"))
    assert came.exit_code == 2
    assert "would be found by the spec's own pattern" in came.errors[0]
