from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest

from speedpix_pipe.events import PredictionCreated, PredictionRequested, RunFinished, RunResumed
from speedpix_pipe.model import KeptFile, Result, RunStatus, SubmissionState
from speedpix_pipe.store import AlreadyOpenError, Store

from .conftest import House

A = "service.example:443|key-a"
B = "service.example:443|key-b"
ELSEWHERE = "other.example:443|key-a"
State = SubmissionState


def test_a_new_row_is_requested_and_found(house: House, run: Any) -> None:
    row = run(house.intend())
    assert (row.state, row.run_id, row.step, row.key, row.price) == (State.REQUESTED, "run-1", "white", "cup", 0.5)
    assert row.requested_at == house.clock()
    assert house.store.ledger.look(A, "f1") == row
    assert house.store.ledger.row(row.id) == row


def test_nothing_is_found_for_a_fingerprint_that_was_never_submitted(house: House) -> None:
    assert house.store.ledger.look(A, "f1") is None


@pytest.mark.parametrize("state", [State.REQUESTED, State.CREATED, State.UNKNOWN, State.SUCCEEDED])
def test_a_row_that_answers_refuses_a_second_submission(house: House, run: Any, state: State) -> None:
    async def main() -> None:
        row = await house.intend()
        if state is State.CREATED:
            await house.store.ledger.created(row.id, "p-1")
        elif state is not State.REQUESTED:
            await house.store.ledger.settle(row.id, state)
        with pytest.raises(AlreadyOpenError) as caught:
            await house.intend(step="other", key="bowl")
        assert (caught.value.row.id, caught.value.row.state) == (row.id, state)

    run(main())


@pytest.mark.parametrize("state", [State.REFUSED, State.FAILED, State.GONE, State.ABANDONED])
def test_a_row_that_ended_without_a_result_lets_the_next_one_in(house: House, run: Any, state: State) -> None:
    async def main() -> None:
        row = await house.intend()
        await house.store.ledger.settle(row.id, state)
        assert house.store.ledger.look(A, "f1") is None
        assert (await house.intend()).id == row.id + 1

    run(main())


def test_open_rows_are_joined_by_their_own_account_only_and_results_by_all_of_the_service(
    house: House, run: Any
) -> None:
    async def main() -> None:
        ledger = house.store.ledger
        row = await house.intend()
        assert ledger.look(B, "f1") is None
        await ledger.created(row.id, "p-1")
        await ledger.settle(row.id, State.SUCCEEDED)
        found = ledger.look(B, "f1")
        assert found is not None
        assert found.prediction_id == "p-1"
        assert ledger.look(ELSEWHERE, "f1") is None
        await house.intend(account=ELSEWHERE)

    run(main())


def test_what_a_look_ahead_did_not_find_may_come_meanwhile_and_is_never_paid_twice(house: House, run: Any) -> None:
    ledger = house.store.ledger

    async def main() -> None:
        with Store.open(house.store.folder) as elsewhere:
            assert ledger.ahead(["f1", "f2"]) == {}
            row = await elsewhere.ledger.intend(account=A, fingerprint="f1", run_id="run-2", step="white", key="cup")
            assert ledger.look(A, "f1") is None  # as it was then
            with pytest.raises(AlreadyOpenError) as caught:
                await house.intend()
            assert caught.value.row.id == row.id
            assert ledger.look(A, "f1") == row  # each answer serves once
            ledger.ahead(["f1"])
            assert ledger.look(A, "f1") == row

    run(main())


def test_a_result_that_is_kept_after_a_look_ahead_is_found(house: House, run: Any) -> None:
    ledger, result = house.store.ledger, Result({"n": 1}, (), "p-1", None)

    async def main() -> None:
        assert ledger.ahead(["f1", "f2"]) == {}
        written = ledger.keep_result("f1", "service", result, kind="workflow")
        ledger.ahead(["f1"])  # maybe before its commit
        await written
        assert ledger.result("f1") == result
        assert ledger.ahead(["f1", "f2"]) == {"f1": result}
        assert ledger.result("f1") == result
        assert ledger.result("f2") is None
        assert ledger.result("f2") is None

    run(main())


def test_what_an_earlier_look_ahead_did_not_find_hides_nothing(
    house: House, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, result = house.store.ledger, Result({"n": 1}, (), "p-1", None)

    async def main() -> None:
        ledger.ahead(["f1", "f2"])  # by tasks that ended before they asked
        with Store.open(house.store.folder) as elsewhere:
            row = await elsewhere.ledger.intend(account=A, fingerprint="f1", run_id="run-2", step="white", key="cup")
            await elsewhere.ledger.keep_result("f1", "service", result, kind="workflow")
            await elsewhere.ledger.keep_result("f2", "service", result, kind="workflow")
            assert ledger.ahead(["f1"]) == {"f1": result}
            assert ledger.result("f1") == result
            assert ledger.look(A, "f1") == row
            now = monotonic()
            monkeypatch.setattr("speedpix_pipe.store.absent.monotonic", lambda: now + 11)
            assert ledger.result("f2") == result  # such an answer serves for ten seconds

    run(main())


def test_a_look_ahead_finds_many_at_once(house: House, run: Any) -> None:
    ledger, result = house.store.ledger, Result({"n": 1}, (), None, None)
    names = [f"f{number}" for number in range(700)]  # more than one question holds

    async def main() -> None:
        await asyncio.gather(*(ledger.keep_result(name, "service", result, kind="image") for name in names[::2]))
        row = await house.intend(fingerprint="f1")
        assert sorted(ledger.ahead(names)) == sorted(names[::2])
        assert ledger.look(A, "f1") == row
        assert [name for name in names if ledger.result(name)] == names[::2]

    run(main())


def test_of_many_that_ask_at_once_one_gets_the_row(house: House, run: Any) -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(*(house.intend(key=str(n)) for n in range(50)), return_exceptions=True)

    answers = run(main())
    made = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer.row for answer in answers if isinstance(answer, AlreadyOpenError)]
    assert len(made) == 1
    assert refused == made * 49


def test_replacing_abandons_the_old_row_in_the_same_step(house: House, run: Any) -> None:
    async def main() -> None:
        ledger = house.store.ledger
        old = await house.intend()
        await ledger.settle(old.id, State.UNKNOWN, message="reset")
        new = await house.intend(replaces=old.id)
        assert [row.state for row in ledger.rows("f1")] == [State.ABANDONED, State.REQUESTED]
        with pytest.raises(AlreadyOpenError) as caught:
            await house.intend(replaces=old.id)  # a second redo of the same row
        assert caught.value.row.id == new.id
        await ledger.settle(new.id, State.SUCCEEDED)
        with pytest.raises(AlreadyOpenError):
            await house.intend(replaces=old.id)

    run(main())


def test_a_result_may_be_paid_for_again_by_who_has_seen_it(house: House, run: Any) -> None:
    async def main() -> None:
        old = await house.intend()
        await house.store.ledger.settle(old.id, State.SUCCEEDED)
        await house.intend(replaces=old.id)
        assert [row.state for row in house.store.ledger.rows("f1")] == [State.SUCCEEDED, State.REQUESTED]

    run(main())


def test_an_id_ends_all_doubt_and_no_late_word_takes_it_back(house: House, run: Any) -> None:
    async def main() -> None:
        ledger = house.store.ledger
        row = await house.intend()
        await ledger.settle(row.id, State.UNKNOWN)
        await ledger.created(row.id, "p-1")
        await ledger.settle(row.id, State.UNKNOWN)
        await ledger.settle(row.id, State.REFUSED)
        found = ledger.row(row.id)
        assert found is not None
        assert (found.state, found.prediction_id, found.created_at) == (State.CREATED, "p-1", house.clock())

    run(main())


def test_words_queued_together_are_taken_in_their_order(house: House, run: Any) -> None:
    async def main() -> None:
        ledger = house.store.ledger
        row = await house.intend()
        waits = [
            ledger.settle(row.id, State.UNKNOWN),
            ledger.created(row.id, "p-1"),
            ledger.settle(row.id, State.SUCCEEDED, message="done"),
        ]
        await asyncio.gather(*waits)
        found = ledger.row(row.id)
        assert found is not None
        assert (found.state, found.message, found.prediction_id) == (State.SUCCEEDED, "done", "p-1")

    run(main())


def test_whoever_is_cancelled_while_asking_leaves_nothing_open(house: House, run: Any) -> None:
    async def main() -> None:
        asking = asyncio.ensure_future(house.intend())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await house.store.flush()
        await asyncio.sleep(0)  # the taking back is queued by the answer
        await house.store.flush()
        assert [row.state for row in house.store.ledger.rows("f1")] == [State.REFUSED]
        assert house.store.ledger.spent("run-1") == (0, 0.0)
        await house.intend()

    run(main())


def test_an_event_lands_with_its_row_and_bears_its_number(house: House, run: Any) -> None:
    async def main() -> None:
        journal, ledger = house.store.journal, house.store.ledger
        await house.begin()
        asked = PredictionRequested(run_id="run-1", seq=2, step="white", key="cup", submission=0, fingerprint="f1")
        row = await house.intend(event=asked)
        born = PredictionCreated(run_id="run-1", seq=3, step="white", key="cup", submission=row.id, prediction_id="p")
        await ledger.created(row.id, "p", event=born)
        with pytest.raises(AlreadyOpenError):
            await house.intend(
                event=PredictionRequested(run_id="run-1", seq=4, step="x", key="", submission=0, fingerprint="f1")
            )
        _, first, *rest = journal.events("run-1")
        assert isinstance(first, PredictionRequested)
        assert first.submission == row.id
        assert rest == [born]

    run(main())


def test_what_a_run_spent_counts_all_but_refusals_and_stays_with_who_paid(house: House, run: Any) -> None:
    async def main() -> None:
        ledger = house.store.ledger
        rows = [await house.intend(f"f{n}") for n in range(5)]
        for row, state in zip(rows, [State.REFUSED, State.UNKNOWN, State.FAILED, State.SUCCEEDED], strict=False):
            await ledger.settle(row.id, state)
        await house.intend("f5", price=None)
        assert ledger.spent("run-1") == (5, 2.0)
        await ledger.adopt(rows[4].id, "run-2")
        assert ledger.spent("run-1") == (5, 2.0)
        assert ledger.spent("run-2") == (0, 0.0)
        found = ledger.row(rows[4].id)
        assert found is not None
        assert found.run_id == "run-2"

    run(main())


def test_predictions_of_a_day_are_counted_over_all_runs_of_a_spec(house: House, run: Any) -> None:
    async def main() -> None:
        await house.begin("run-1")
        await house.begin("run-2")
        await house.begin("run-3", spec_path="/specs/other.yaml")
        await house.intend("f1")
        house.clock.pass_seconds(3600)
        morning = house.clock()
        await house.intend("f2")
        await house.intend("f3", run_id="run-2")
        await house.intend("f4", run_id="run-3")
        assert house.store.ledger.spent_since("/specs/shots.yaml", morning) == 2
        assert house.store.ledger.spent_since("/specs/shots.yaml", morning - timedelta(days=1)) == 3
        end = RunFinished(
            run_id="run-1", seq=90, at=house.clock(), status=RunStatus.SUCCEEDED, resumable=False, seconds=1.0
        )
        await house.store.journal.finish_run(end)

    run(main())
    house.clock.pass_seconds(60)
    house.store.prune(max_age=timedelta(0))  # the day's budget is counted by the day's runs
    assert house.store.ledger.spent_since("/specs/shots.yaml", house.clock() - timedelta(minutes=2)) == 2


def test_a_days_predictions_can_be_counted_bit_by_bit(house: House, run: Any) -> None:
    async def main() -> None:
        ledger, spec = house.store.ledger, "/specs/shots.yaml"
        await house.begin("run-1")
        await house.intend("old: of yesterday, and never answered")
        house.clock.pass_seconds(86_400)
        day = house.clock()
        rows = [await house.intend(f"f{number}") for number in range(4)]
        await ledger.created(rows[0].id, "p0")
        await ledger.settle(rows[1].id, SubmissionState.REFUSED)
        first = ledger.answered_up_to(day)
        assert first == rows[1].id, "the third still waits for its answer"
        assert ledger.spent_since(spec, day, up_to=first) == 1
        assert ledger.spent_since(spec, day, after=first) == 2
        await ledger.settle(rows[2].id, SubmissionState.REFUSED)
        await ledger.settle(rows[3].id, SubmissionState.UNKNOWN)
        second = ledger.answered_up_to(day, after=first)
        assert second == rows[3].id
        assert ledger.spent_since(spec, day, after=first, up_to=second) == 1
        assert ledger.spent_since(spec, day) == 2

    run(main())


def test_unknown_are_those_said_to_be_and_those_whose_run_died(house: House, run: Any) -> None:
    async def main() -> None:
        ledger = house.store.ledger
        await house.begin()
        said = await house.intend("f1")
        await ledger.settle(said.id, State.UNKNOWN, message="reset after sending")
        await house.intend("f2")  # its run is alive: this very process
        left = await house.intend("f3", run_id="a-run-that-died")
        assert not ledger.owner_lives(left)
        assert ledger.owner_lives(said)
        assert [row.id for row in ledger.unknown()] == [said.id, left.id]
        assert [row.id for row in ledger.unknown(run_id="run-1")] == [said.id]
        assert ledger.unknown(account=B) == []

    run(main())


def test_a_run_that_is_taken_up_again_does_not_wait_for_itself(house: House, folder: Any, run: Any) -> None:
    async def first() -> None:
        await house.begin()
        await house.intend("f1")
        row = await house.intend("f2", account="local|local")
        await house.store.ledger.created(row.id, "p-1")

    async def second(store: Store) -> None:
        await store.journal.resume_run(RunResumed(run_id="run-1", seq=2))
        (row,) = store.ledger.unknown()
        assert (row.fingerprint, row.state) == ("f1", State.UNKNOWN)
        assert await store.ledger.forget_open("local|local") == 1
        assert store.ledger.look("local|local", "f2") is None
        again = House(store, house.clock)
        assert store.ledger.owner_lives(await again.intend("f2", account="local|local"))

    run(first())
    house.store.close()
    with Store.open(folder, now=house.clock) as store:
        run(second(store))


def test_open_rows_of_an_emulator_that_ended_are_closed_and_cost_nothing(house: House, run: Any) -> None:
    async def main() -> None:
        ledger = house.store.ledger
        await house.begin()
        await house.intend("f1", account="local|local", run_id="died")
        await house.intend("f2", account="local|local")
        await house.intend("f3", run_id="died")
        assert await ledger.forget_open("local|local") == 1
        assert ledger.look("local|local", "f1") is None
        assert ledger.look("local|local", "f2") is not None
        assert ledger.look(A, "f3") is not None

    run(main())


def test_a_kept_result_comes_back_equal_and_the_newest_wins(house: House, run: Any) -> None:
    file = KeptFile(
        place="images.url",
        sha256="a" * 64,
        size=3,
        media_type="image/png",
        extension="png",
        url="https://results.example/1",
        url_expires_at=house.clock() + timedelta(hours=1),
    )
    first = Result(output={"images": {"url": "https://results.example/1"}}, files=(file,), prediction_id="p-1")
    second = Result(output=None, received_at=house.clock())

    async def main() -> None:
        ledger = house.store.ledger
        assert ledger.result("f1") is None
        await ledger.keep_result("f1", "service.example:443", first, kind="workflow")
        assert ledger.result("f1") == first
        await ledger.keep_result("f1", "service.example:443", second, kind="workflow")
        assert ledger.result("f1") == second

    run(main())


def test_a_row_outlives_its_store(house: House, folder: Any, run: Any) -> None:
    row = run(house.intend(key="\udcff.jpg"))
    house.store.close()
    with Store.open(folder) as again:
        assert again.ledger.look(A, "f1") == row
