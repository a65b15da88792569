"""The pipeline's own `outputs`: null without a word only where a task had no output to give."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.specs_by_parts import LISTS, fails_for, over, single

pytestmark = pytest.mark.slow

STEPS = LISTS + single("one", "1") + over("many") + over("bad", workflow="bad") + single("off", "1", "when: false")


def outputs(came: Any) -> tuple[Any, list[str]]:
    told = [message for code, message in came.summary.warnings if code == "output.null"]
    return came.summary.outputs, told


def test_an_output_that_cannot_be_evaluated_is_null_and_told_with_its_place(go: Any) -> None:
    came = go(
        LISTS
        + single("one", "1")
        + over("many", "when: item == 'p'")
        + "outputs:\n"
        + "  fine: ${{ steps.one.output.v }}\n"
        + "  lacks: ${{ steps.one.output.nope }}\n"
        + '  text: "x ${{ steps.one.output.nope }}"\n'
        + "  zero: ${{ 1 / (steps.many.outputs | length - 1) }}\n"
    )
    found, told = outputs(came)
    assert came.exit_code == 0
    assert found == {"fine": 1, "lacks": None, "text": None, "zero": None}
    assert [message.rsplit(": ")[-1] for message in told] == [f"outputs.{name} is null" for name in list(found)[1:]]
    assert [message.partition(": ")[0].partition("pipeline.yaml")[2] for message in told] == [
        ":15:13",
        ":16:15",
        ":17:12",
    ]
    assert "nope" in told[0]
    assert "zero" in told[2]


def test_an_output_of_a_task_without_output_is_null_and_nothing_more(go: Any) -> None:
    came = go(
        STEPS
        + "outputs:\n"
        + "  off: ${{ steps.off.output.v }}\n"
        + "  first_off: ${{ steps.off.outputs[0].v }}\n"
        + "  second_bad: ${{ steps.bad.outputs[1].v }}\n",
        {"bad": fails_for("p")},
    )
    assert outputs(came) == ({"off": None, "first_off": None, "second_bad": None}, [])


def test_an_output_of_a_step_that_was_not_asked_for_is_null_and_nothing_more(go: Any) -> None:
    came = go(
        STEPS + "outputs: {off: '${{ steps.bad.outputs[1].v }}', one: '${{ steps.one.output.v }}'}\n",
        only=["many@p"],
    )
    assert outputs(came) == ({"off": None, "one": None}, [])
