"""`--resume`: the same run goes on, told nothing again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedpix_pipe.events import TaskCached, Warned
from tests.functional.money import Shop, counts

pytestmark = pytest.mark.slow


@pytest.fixture
def stopped(tmp_path: Path):
    """A run that a limit stopped after five predictions."""
    with Shop(tmp_path, limits="concurrency: 1, max_predictions: 5") as shop:
        shop.first = shop.run(params={"words": ['["elk", "fox", "gnu"]']})
        assert shop.first.summary.resumable
        shop.edit("max_predictions: 5", "max_predictions: 50")
        yield shop


def test_params_come_from_the_journal(stopped: Shop) -> None:
    outcome = stopped.run(resume=True)
    assert outcome.summary.run_id == stopped.first.summary.run_id
    assert stopped.words("first") == ["elk", "fox", "gnu"]
    assert outcome.exit_code == 0


def test_a_comment_or_another_order_of_keys_changes_nothing(stopped: Shop) -> None:
    stopped.edit("limits:", "# so much for today\nlimits:")
    stopped.edit("name: money\n", "")
    stopped.edit("apiVersion: speedpix-pipe/v1\n", "name: money\napiVersion: speedpix-pipe/v1\n")
    assert stopped.run(resume=True).summary.run_id == stopped.first.summary.run_id


def test_another_meaning_is_another_run_which_pays_for_nothing_unchanged(stopped: Shop) -> None:
    stopped.edit('word: "${{ steps.first.output.said }}"', 'word: "so ${{ steps.first.output.said }}"')
    outcome = stopped.run(resume=True, params={"words": ['["elk", "fox", "gnu"]']})
    assert outcome.summary.run_id != stopped.first.summary.run_id
    assert "run.nothing-to-resume" in [event.code for event in stopped.of(Warned)]
    assert len(stopped.words("first")) == 3


def test_other_params_are_another_run(stopped: Shop) -> None:
    outcome = stopped.run(resume=True, params={"words": ['["hen"]']})
    assert outcome.summary.run_id != stopped.first.summary.run_id
    assert counts(outcome) == {"succeeded": 2}


def test_with_nothing_to_resume_it_starts_a_run(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        assert counts(shop.run(resume=True)) == {"succeeded": 8}
        again = shop.run(resume=True)
        assert counts(again) == {"cached": 8}


def test_a_run_without_cache_finds_its_own_results_again(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1, max_predictions: 5") as shop:
        first = shop.run(no_cache=True)
        shop.edit("max_predictions: 5", "max_predictions: 8")
        last = shop.run(resume=True)
        assert last.summary.run_id == first.summary.run_id
        assert shop.made == 8
        assert last.exit_code == 0


def test_what_a_run_paid_for_before_it_was_resumed_is_spent_and_not_saved(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1, max_predictions: 5") as shop:
        for name in ("first", "second"):
            shop.edit(f"    workflow: {name}\n", f"    workflow: {name}\n    price: 0.5\n")
        first = shop.run()
        assert first.summary.spent == 2.5
        shop.edit("max_predictions: 5", "max_predictions: 50")
        last = shop.run(resume=True)
        assert last.summary.run_id == first.summary.run_id
        assert last.summary.spent == 4.0
        assert last.summary.saved == 0.0
        assert {event.source for event in shop.of(TaskCached)} == {"resumed"}
        assert shop.run().summary.saved == 4.0


def test_what_began_on_the_emulator_goes_on_there_without_being_told(cli, tmp_path: Path) -> None:
    """No account is here: a resume that went to the service would say so."""
    spec = tmp_path / "shop.yaml"
    spec.write_text(
        "apiVersion: speedpix-pipe/v1\nname: shop\nlimits: {concurrency: 1, max_predictions: 2}\n"
        "workflows: {told: {id: told, output: {said: {type: string}}}}\n"
        "steps:\n  one:\n    workflow: told\n    for_each: [a, b]\n    input: {word: '${{ item }}'}\n"
        "  two:\n    workflow: told\n    for_each: ${{ steps.one }}\n    input: {word: '${{ steps.one.output.said }}!'}\n",
        encoding="utf-8",
    )
    first = json.loads(cli("run", spec, "--local", "--json").out)
    assert first["resumable"]
    spec.write_text(spec.read_text(encoding="utf-8").replace("max_predictions: 2", "max_predictions: 9"), "utf-8")
    ran = cli("run", spec, "--resume", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["run_id"] == first["run_id"]
