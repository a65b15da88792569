"""Which fields of an input are seeds, and what is drawn for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.model import Field, Mark, Workflow
from speedpix_pipe.plan.seeds import MOST, draw_seeds

MARK = Mark("x.yaml", 1, 1)
chances = st.floats(0, 1, exclude_max=True)


def workflow(**fields):
    contract = {name: Field(name, schema.pop("type", None), schema, MARK) for name, schema in fields.items()}
    return Workflow("w", "w", MARK, input=contract or None)


@pytest.mark.parametrize("name", ["seed", "Seed", "noise_seed", "KSampler.seed", "seed_2", "随机种子"])
def test_a_whole_number_under_such_a_name_is_a_seed(name):
    assert draw_seeds(workflow(), {name: 7, "prompt": "a seed in the soil"}, lambda: 0.5) == {name: MOST // 2 + 1}


@pytest.mark.parametrize("value", [True, "fixed", "", 1.5, "-3", [1], None])
def test_what_is_no_whole_number_is_left_alone(value):
    assert draw_seeds(workflow(), {"seed_mode": value}, lambda: 0.5) is None


def test_text_stays_text():
    assert draw_seeds(workflow(), {"seed": "007"}, lambda: 0.0) == {"seed": "0"}


def test_a_seed_that_is_not_sent_is_one_only_if_the_contract_lists_it():
    listed = workflow(seed={"type": "integer"}, seed_mode={"type": "string"}, steps={"type": "integer"})
    assert draw_seeds(listed, {"steps": 20}, lambda: 0.0) == {"seed": 0}
    assert draw_seeds(workflow(steps={"type": "integer"}), {"steps": 20}, lambda: 0.0) is None


def test_types_may_be_a_list():
    assert draw_seeds(workflow(seed={"type": None} | {"schema": 1}), {}, lambda: 0.0) is None
    listed = Workflow("w", "w", MARK, input={"seed": Field("seed", None, {"type": ["integer", "null"]}, MARK)})
    assert draw_seeds(listed, {}, lambda: 0.0) == {"seed": 0}


@given(chances, st.integers(0, 50), st.integers(1, 50), st.integers(0, 100))
def test_what_is_drawn_is_in_bounds_and_another(chance, low, width, now):
    taken = workflow(seed={"type": "integer", "minimum": low, "maximum": low + width})
    drawn = draw_seeds(taken, {"seed": now}, lambda: chance)["seed"]
    assert low <= drawn <= low + width
    assert drawn != now


@given(chances)
def test_without_bounds_it_is_what_every_sampler_takes(chance):
    assert 0 <= draw_seeds(workflow(), {"seed": 1}, lambda: chance)["seed"] <= MOST
