"""The quick yes: never where the validator says no, and always for specs as people write them."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from speedpix_pipe.spec.conforms import Conforms
from speedpix_pipe.spec.schema import pipeline_schema
from speedpix_pipe.spec.validators import jsonschema_rs

ROOT = Path(__file__).parents[3]
GOOD = [
    *(path for path in ROOT.glob("pipelines/**/*.yaml") if not path.name.endswith(".test.yaml")),
    *ROOT.glob("tests/examples/valid/**/*.yaml"),
    *ROOT.glob("tests/examples/worked/*/pipeline.yaml"),
]
ODD = [
    *(None, True, False, 0, 1, -1, 3, 1.0, 0.5, 10**30, -(10**400), float("inf"), float("nan")),
    *("", "a", "1s", "2m30s", "1s\n", "${{ a }}", "%", "50%", "x-y", "名", "a b", "7/s", "ignore", "speedpix-pipe/v1"),
    *([], [[]], ["a"], ["a", "a"], [1, True], {}, {"x-a": 1}, {"a": {}}),
]
NAMES = ["x-mine", "workflow", "pipeline", "image", "alias", "version", "input", "steps", "type", "wrong", "a\n", ""]


def loaded(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)  # of PyYAML's safe loaders


@pytest.mark.parametrize("path", GOOD, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_people_write_gets_its_yes(path: Path) -> None:
    assert Conforms(pipeline_schema())(loaded(path))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys or positions."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, one in inner:
        found += [(value, key), *places(one)]
    return found


def spoiled(value: Any, dice: random.Random) -> Any:
    made = copy.deepcopy(value)
    for _ in range(dice.choice([1, 1, 2])):
        where, key = dice.choice(places(made))
        match dice.randrange(4):
            case 0 if isinstance(where, dict):
                del where[key]
            case 1 if isinstance(where, dict):
                where[dice.choice(NAMES)] = dice.choice(ODD)
            case _:
                where[key] = copy.deepcopy(dice.choice(ODD))
        if not places(made):
            break
    return made


@pytest.mark.parametrize("path", GOOD, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_yes_where_the_validator_says_no(path: Path) -> None:
    dice, value = random.Random(str(path.relative_to(ROOT))), loaded(path)
    validator, conforms = jsonschema_rs.Draft7Validator(pipeline_schema()), Conforms(pipeline_schema())
    good = 0
    for _ in range(400):
        made = spoiled(value, dice)
        if conforms(made):
            good += 1
            assert validator.is_valid(made), made
    assert good > 5


def test_a_keyword_that_is_not_known_is_in_doubt() -> None:
    assert not Conforms({"format": "date"})("2026-01-01")
    assert not Conforms({"$ref": "elsewhere.json"})(1)
    assert not Conforms({"not": {"type": "string"}})(1)
