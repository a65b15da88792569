"""`runs redo --new-seed`: another picture, which stays until somebody wants another one again."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.app.plan import PlanRequest, plan
from speedpix_pipe.app.runs import why
from speedpix_pipe.clock import SystemClock
from speedpix_pipe.errors import PlanError, UsageError
from speedpix_pipe.events import PredictionCreated, TaskCached, TaskStarted, TaskSucceeded
from speedpix_pipe.store import Store, repair
from tests.functional.money import Shop, counts

pytestmark = pytest.mark.slow

SPEC = """\
apiVersion: speedpix-pipe/v1
name: seeds
params: {words: {type: array, default: [ant, bee, cat]}}
steps:
  first:
    workflow: first
    for_each: ${{ params.words }}
    input: {word: "${{ item }}", seed: 7}
    save: out/${{ item }}.${{ ext }}
  second:
    workflow: second
    for_each: ${{ steps.first }}
    input: {word: "${{ steps.first.output.said }}"}
"""


class Seeded(Shop):
    """Its workflows say which seed they got."""

    def _workflow(self, name: str) -> Callable[[Any], Any]:
        waits_or_fails = super()._workflow(name)

        def answer(inputs: Any) -> dict[str, str]:
            waits_or_fails(inputs)
            return {"said": f"{inputs['word']}/{inputs.get('seed')}/{inputs.get('noise_seed')}"}

        return answer

    def sent(self, workflow: str = "first") -> list[dict[str, Any]]:
        return [one["inputs"] for one in self.emulator.predictions() if one["workflow"] == workflow]

    def said(self) -> dict[str, str]:
        """What each first task of the last run came to, by key."""
        ended = [event for event in self.events if isinstance(event, TaskSucceeded | TaskCached)]
        return {event.key: event.output["said"] for event in ended if event.step == "first"}

    def plan(self) -> dict[str, dict[str, int]]:
        estimate = plan(PlanRequest(self.request().spec)).estimate.to_json()
        return {step["step"]: step for step in estimate["steps"]}


@pytest.fixture
def shop(tmp_path: Path):
    with Seeded(tmp_path) as shop:
        shop.write(SPEC)
        yield shop


def test_the_new_picture_stays_in_later_runs_and_costs_nothing_again(shop: Seeded) -> None:
    shop.run()
    before = shop.said()
    outcome = shop.redo(tasks=["first@bee"], new_seed=True)
    assert counts(outcome) == {"succeeded": 2}  # what follows has another input now
    seed = shop.sent()[-1]["seed"]
    assert seed != 7
    assert 0 <= seed < 2**31
    made = shop.made
    assert counts(shop.run()) == {"cached": 6}
    assert shop.made == made
    after = shop.said()
    assert after == before | {"bee": f"bee/{seed}/None"}
    assert {step["step"]: step["cached"] for step in shop.plan().values()} == {"first": 3, "second": 3}


def test_what_was_sent_is_in_the_journal_and_why_tells_it(shop: Seeded) -> None:
    shop.run()
    outcome = shop.redo(tasks=["first@bee"], new_seed=True)
    seed = shop.sent()[-1]["seed"]
    (started,) = [event for event in shop.of(TaskStarted) if event.step == "first"]
    assert started.input == {"word": "bee", "seed": seed}
    run = outcome.summary.run_id
    shop.run()
    with Store.open(shop.folder / ".speedpix", write=False) as store:
        told = why(store, store.journal.run(None), "first@bee").sentence
        assert told.endswith(f"with seed {seed}, which run {run} drew for it")
        assert "drew" not in why(store, store.journal.run(None), "first@ant").sentence
        assert store.journal.run(run).arguments["redo"]["seeds"] == 1


def test_asked_twice_it_draws_twice_and_the_last_one_stays(shop: Seeded) -> None:
    shop.run()
    for _ in range(2):
        shop.redo(tasks=["first@bee"], new_seed=True)
    seeds = [one["seed"] for one in shop.sent() if one["word"] == "bee"]
    assert len(set(seeds)) == 3
    shop.run()
    assert shop.said()["bee"] == f"bee/{seeds[-1]}/None"


def test_made_again_without_a_word_about_seeds_it_keeps_its_own(shop: Seeded) -> None:
    shop.run()
    shop.redo(tasks=["first@bee"], new_seed=True)
    shop.redo(tasks=["first@bee"])
    seeds = [one["seed"] for one in shop.sent() if one["word"] == "bee"]
    assert seeds[1] == seeds[2] != 7


def test_the_seed_of_the_spec_comes_back_for_nothing(shop: Seeded) -> None:
    shop.run()
    shop.redo(tasks=["first@bee"], new_seed=True)
    made = shop.made
    assert counts(shop.redo(tasks=["first@bee"], spec_seed=True)) == {"cached": 2}
    assert shop.said()["bee"] == "bee/7/None"
    shop.run()
    assert shop.said()["bee"] == "bee/7/None"
    assert shop.made == made


def test_another_input_takes_the_seed_of_the_spec(shop: Seeded) -> None:
    shop.run()
    shop.redo(tasks=["first@bee"], new_seed=True)
    shop.edit("seed: 7", "seed: 8")
    shop.run()
    assert shop.said()["bee"] == "bee/8/None"
    shop.edit("seed: 8", "seed: 7")
    shop.run()
    assert shop.said()["bee"] not in {"bee/7/None", "bee/8/None"}


def test_equal_tasks_get_a_seed_each(shop: Seeded) -> None:
    shop.edit("[ant, bee, cat]", "[ant, bee, cat, ANT]")
    shop.edit("    save: out/${{ item }}.${{ ext }}\n", "")
    shop.edit('word: "${{ item }}"', 'word: "${{ item | lower }}"')
    shop.run()
    assert len(shop.sent()) == 3
    shop.redo(tasks=["first@ant", "first@ANT"], new_seed=True)
    ours = [one["seed"] for one in shop.sent() if one["word"] == "ant"]
    assert len(set(ours)) == 3
    shop.redo(tasks=["first@ant"], spec_seed=True)
    shop.run()
    said = shop.said()
    assert said["ant"] == "ant/7/None"
    assert said["ANT"] in {f"ant/{seed}/None" for seed in ours[1:]}


def test_a_list_asks_for_a_seed_line_by_line(shop: Seeded, tmp_path: Path) -> None:
    shop.run()
    listed = tmp_path / "rejected.txt"
    listed.write_text("# from the gallery\nfirst@ant\nnew-seed: first@b*\n", encoding="utf-8")
    assert counts(shop.redo(from_file=listed)) == {"succeeded": 3, "cached": 1}
    assert {one["word"]: one["seed"] == 7 for one in shop.sent()[3:]} == {"ant": True, "bee": False}


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ("{noise_seed: 7}", {"noise_seed"}),
        ("{seed: 7, noise_seed: 8}", {"seed", "noise_seed"}),
        ('{seed: "7"}', {"seed"}),
        ("{seed: 7, seed_mode: fixed}", {"seed"}),
    ],
)
def test_every_field_that_is_a_seed_is_drawn(shop: Seeded, fields: str, sent: set[str]) -> None:
    shop.edit('{word: "${{ item }}", seed: 7}', '{word: "${{ item }}", ' + fields[1:])
    shop.run()
    shop.redo(tasks=["first@bee"], new_seed=True)
    first, *_, last = [one for one in shop.sent() if one["word"] == "bee"]
    assert {name for name in first if first[name] != last[name]} == sent
    assert {name: type(value) for name, value in first.items()} == {name: type(value) for name, value in last.items()}


def test_a_seed_that_the_contract_lists_is_sent_within_its_bounds(shop: Seeded) -> None:
    shop.edit("steps:", "workflows: {first: {id: first, input: {word: {}, seed: {type: integer, maximum: 3}}}}\nsteps:")
    shop.edit(", seed: 7}", "}")
    shop.run()
    for _ in range(4):
        shop.redo(tasks=["first@bee"], new_seed=True)
    seeds = [one["seed"] for one in shop.sent() if "seed" in one]
    assert len(seeds) == 4
    assert set(seeds) <= {0, 1, 2, 3}
    made = shop.made
    shop.run()
    assert shop.made == made


def test_where_no_seed_is_known_the_service_draws(shop: Seeded) -> None:
    shop.edit(", seed: 7}", "}")
    shop.run()
    shop.redo(tasks=["first@bee"], new_seed=True)
    assert [sorted(one) for one in shop.sent() if one["word"] == "bee"] == [["word"], ["seed", "word"]]
    made = shop.made
    after = shop.said()["bee"]
    assert counts(shop.run()) == {"cached": 6}
    assert shop.said()["bee"] == after
    assert shop.made == made


def test_a_step_that_randomises_draws_again(shop: Seeded) -> None:
    shop.edit("    save:", "    randomise_seeds: true\n    save:")
    shop.run()
    before = shop.said()["bee"]
    shop.redo(tasks=["first@bee"], new_seed=True)
    after = shop.said()["bee"]
    assert after != before
    made = shop.made
    shop.run()
    assert shop.said()["bee"] == after
    assert shop.made == made


def test_a_step_without_cache_is_paid_again_with_its_new_seed(shop: Seeded) -> None:
    shop.edit("    save:", "    cache: false\n    save:")
    shop.run()
    shop.redo(tasks=["first@bee"], new_seed=True)
    seed = shop.sent()[-1]["seed"]
    shop.run()
    assert [one["seed"] for one in shop.sent() if one["word"] == "bee"] == [7, seed, seed]


# --- money ---


def test_a_redo_that_is_refused_leaves_everything_as_it_was(shop: Seeded) -> None:
    shop.run()
    shop.edit("steps:", "limits: {max_predictions: 1}\nsteps:")
    with pytest.raises(PlanError):
        shop.redo(tasks=["first@ant", "first@bee"], new_seed=True)
    assert counts(shop.run()) == {"cached": 6}
    assert shop.said()["bee"] == "bee/7/None"


def test_a_choice_that_was_never_sent_counts_for_nothing(shop: Seeded) -> None:
    shop.run()
    shop.arm("submit:unauthorized:times=1")
    assert shop.redo(tasks=["first@bee"], new_seed=True).exit_code != 0
    made = shop.made
    assert counts(shop.run()) == {"cached": 6}
    assert shop.made == made


def test_doubt_about_a_new_seed_stays_doubt(shop: Seeded) -> None:
    shop.run()
    shop.arm("submit:reset-after:times=1:match=bee")
    assert counts(shop.redo(tasks=["first@bee"], new_seed=True)) == {"unknown": 1, "skipped": 1}
    made = shop.made
    assert counts(shop.run()) == {"cached": 4, "unknown": 1, "skipped": 1}
    assert shop.made == made
    assert counts(shop.redo(unknown=True)) == {"succeeded": 2}
    seeds = [one["seed"] for one in shop.sent() if one["word"] == "bee"]
    assert seeds[-1] == seeds[-2] != 7  # asked for again as it was sent
    assert shop.rows()["first@bee"] == ["succeeded", "abandoned", "succeeded"]


def test_a_new_seed_that_fails_is_repeated_as_all_that_fails(shop: Seeded) -> None:
    shop.run()
    shop.fails = {"first:bee"}
    assert counts(shop.redo(tasks=["first@bee"], new_seed=True)) == {"failed": 1, "skipped": 1}
    shop.fails = set()
    assert counts(shop.run()) == {"cached": 4, "succeeded": 2}
    seeds = [one["seed"] for one in shop.sent() if one["word"] == "bee"]
    assert seeds[1] == seeds[2] != 7


def test_what_failed_may_get_another_seed(shop: Seeded) -> None:
    shop.fails = {"first:bee"}
    shop.run()
    shop.fails = set()
    assert counts(shop.redo(failed=True, new_seed=True)) == {"succeeded": 2}
    assert shop.sent()[-1]["seed"] != 7


def test_a_step_inside_another_pipeline_has_seeds_too(shop: Seeded) -> None:
    shop.run()
    (shop.folder / "inner.yaml").write_text(
        SPEC.replace("params: {words", "params: {x: {type: string}, words"), "utf-8"
    )
    shop.write(
        "apiVersion: speedpix-pipe/v1\nname: outer\nsteps:\n  part:\n    pipeline: ./inner.yaml\n"
        "    for_each: [p, q]\n    input: {x: '${{ item }}'}\n"
    )
    inner = SPEC.replace("params: {words: {type: array, default: [ant, bee, cat]}}", "params: {x: {type: string}}")
    inner = inner.replace("    for_each: ${{ params.words }}\n", "").replace("${{ item }}", "${{ params.x }}")
    inner = inner.replace("    for_each: ${{ steps.first }}\n", "")
    (shop.folder / "inner.yaml").write_text(inner, "utf-8")
    shop.run()
    shop.redo(tasks=["part.first@p"], new_seed=True)
    made = shop.made
    shop.run()
    assert shop.made == made
    assert [one["seed"] != 7 for one in shop.sent() if one["word"] == "p"] == [False, True]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unknown": True, "new_seed": True}, "no other seed"),
        ({"tasks": ["first@ant"], "new_seed": True, "spec_seed": True}, "only one"),
        ({"tasks": ["new-seed: first@ant"], "spec_seed": True}, "only one"),
        ({"new_seed": True}, "which tasks"),
    ],
)
def test_contradictions_are_said(shop: Seeded, options: dict, words: str) -> None:
    shop.run()
    with pytest.raises(UsageError, match=words):
        shop.redo(**options)


def test_the_list_of_a_gallery_that_is_elsewhere_is_told(shop: Seeded) -> None:
    shop.run()
    with pytest.raises(UsageError, match="no such file") as told:
        shop.redo(from_file=Path("/nowhere/rejected.txt"))
    assert "Downloads" in (told.value.hint or "")


def test_choices_survive_a_repair(shop: Seeded) -> None:
    shop.run()
    shop.redo(tasks=["first@bee"], new_seed=True)
    journal = shop.folder / ".speedpix" / "journal.db"
    with contextlib.closing(sqlite3.connect(journal)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'uploads'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with journal.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\xff" * size)
    report = repair(shop.folder / ".speedpix", now=SystemClock().now)
    assert report.rows["seeds"] == 1
    made = shop.made
    assert counts(shop.run()) == {"cached": 6}
    assert shop.made == made


def test_the_rest_of_an_interrupted_redo_keeps_the_seeds_that_were_sent_and_draws_the_others(tmp_path: Path) -> None:
    class Interrupted(Seeded):
        left = 0

        def __call__(self, event: Any) -> None:
            super().__call__(event)
            self.left -= isinstance(event, PredictionCreated)
            if self.left == 0 and isinstance(event, PredictionCreated):
                os.kill(os.getpid(), signal.SIGINT)

    with Interrupted(tmp_path) as shop:
        shop.clock = SystemClock()
        shop.write(SPEC)
        shop.edit("params:", "limits: {concurrency: 1}\nparams:")
        shop.run()
        shop.left = 1
        shop.hold.set()
        assert shop.redo(tasks=["first@*"], new_seed=True).exit_code == 130
        shop.hold.clear()
        assert shop.redo(rest=True).exit_code == 0
        again = shop.sent()[3:]
        assert sorted(one["word"] for one in again) == ["ant", "bee", "cat"]
        assert 7 not in {one["seed"] for one in again}
        made = shop.made
        shop.run()
        assert shop.made == made
        assert shop.said() == {one["word"]: f"{one['word']}/{one['seed']}/None" for one in again}
