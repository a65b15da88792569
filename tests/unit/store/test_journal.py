from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from speedpix_pipe.errors import StoreError, UsageError
from speedpix_pipe.events import (
    FileSaved,
    ItemFound,
    PredictionFinished,
    RunFinished,
    RunResumed,
    TaskFailed,
    TaskProgressed,
    TaskRetrying,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
    Warned,
)
from speedpix_pipe.model import KeptFile, RunStatus, TaskStatus
from speedpix_pipe.store import SavedFile, Store

from .conftest import House

FILE = KeptFile(place="images.url", sha256="a" * 64, size=3, media_type="image/png", extension="png")


def finished(status: RunStatus = RunStatus.SUCCEEDED, *, seq: int = 90, **changes: Any) -> RunFinished:
    fields: dict[str, Any] = {"run_id": "run-1", "seq": seq, "status": status, "resumable": False, "seconds": 2.0}
    return RunFinished(**{**fields, **changes})


def test_events_come_back_equal_and_in_order_but_progress_is_not_kept(house: House, run: Any) -> None:
    async def main() -> None:
        journal = house.store.journal
        await house.begin()
        events = [Warned(run_id="run-1", seq=n, at=house.clock(), code="w", message=f"m{n}") for n in range(2, 3000)]
        for event in events:
            journal.record(event)
        journal.record(TaskProgressed(run_id="run-1", seq=3001, step="a", key="", progress=0.5))
        await journal.drain()
        assert journal.backlog == 0
        assert list(journal.events("run-1")) == [house.started(), *events]
        assert list(journal.events("run-1", after=2997)) == events[-2:]
        assert journal.last_seq("run-1") == 2999
        assert journal.started("run-1") == house.started()

    run(main())


def test_events_that_nobody_waits_for_reach_the_disk_by_themselves(house: House, folder: Any, run: Any) -> None:
    async def begin() -> None:
        await house.begin()
        house.store.journal.record(Warned(run_id="run-1", seq=2, code="w", message="m"))

    run(begin())
    with Store.open(folder, write=False) as reader:
        end = time.monotonic() + 30
        while reader.journal.last_seq("run-1") != 2:
            assert time.monotonic() < end, "the event never came"
            time.sleep(0.005)


def test_a_run_is_listed_from_beginning_to_end(house: House, run: Any) -> None:
    async def main() -> None:
        journal = house.store.journal
        await house.begin()
        row = journal.run("run-1")
        assert (row.status, row.lives, row.resumable, row.died) == ("running", True, True, False)
        assert (row.pipeline, row.params, row.counts) == ("shots", {"looks": ["sun", "snow"]}, {})
        journal.record(Warned(run_id="run-1", seq=2, code="w", message="m"))
        house.clock.pass_seconds(5)
        await journal.finish_run(
            finished(at=house.clock(), outputs={"sheet": "out/sheet.png"}, reason="all done"), counts={"total": 3}
        )
        row = journal.run("run-1")
        assert (row.status, row.lives, row.resumable) == ("succeeded", False, False)
        assert (row.finished_at, row.seconds, row.reason) == (house.clock(), 2.0, "all done")
        assert (row.outputs, row.counts) == ({"sheet": "out/sheet.png"}, {"total": 3})
        assert [type(event).__name__ for event in journal.events("run-1")] == ["RunStarted", "Warned", "RunFinished"]

    run(main())


def test_a_run_is_named_by_a_unique_beginning_and_is_the_latest_by_default(house: House, run: Any) -> None:
    journal = house.store.journal
    with pytest.raises(UsageError, match="no run yet"):
        journal.run()

    async def main() -> None:
        for name in ("0a1", "0a1b", "0c2"):
            await house.begin(name)

    run(main())
    assert journal.run().id == "0c2"
    assert journal.run("0c").id == "0c2"
    assert journal.run("0a1").id == "0a1"
    with pytest.raises(UsageError, match="several runs, such as 0c2 and 0a1b"):
        journal.run("0")
    with pytest.raises(UsageError, match='no run "%"'):
        journal.run("%")
    assert [row.id for row in journal.runs()] == ["0c2", "0a1b", "0a1"]


def test_a_run_whose_process_died_is_unfinished_and_can_be_taken_up(house: House, folder: Any, run: Any) -> None:
    async def first() -> None:
        await house.begin()
        house.store.journal.request_cancel("run-1")

    run(first())
    assert house.store.journal.last_unfinished("/specs/shots.yaml") is None  # it is alive
    house.store.close()  # lets go of the lock without an end, as a crash does

    async def second(store: Store) -> None:
        row = store.journal.last_unfinished("/specs/shots.yaml")
        assert row is not None
        assert row.died
        assert store.journal.last_unfinished("/specs/other.yaml") is None
        assert store.journal.cancel_requested("run-1")
        seq = store.journal.last_seq("run-1")
        await store.journal.resume_run(RunResumed(run_id="run-1", seq=seq + 1))
        assert store.journal.run("run-1").lives
        assert not store.journal.cancel_requested("run-1")
        await store.journal.finish_run(finished())
        assert store.journal.last_unfinished("/specs/shots.yaml") is None

    with Store.open(folder) as again:
        run(second(again))


def test_a_batch_of_a_watcher_is_not_what_a_resume_goes_on_with(house: House, folder: Any, run: Any) -> None:
    async def both() -> None:
        await house.begin("typed", arguments={"local": False})
        await house.begin("batch", arguments={"local": True, "watch": "inbox", "watch_param": "photos"})

    run(both())
    house.store.close()
    with Store.open(folder) as again:
        row = again.journal.last_unfinished("/specs/shots.yaml")
        assert row is not None
        assert row.id == "typed"
        run(again.journal.give_up("typed", "enough"))
        assert again.journal.last_unfinished("/specs/shots.yaml") is None, "not its emulator either"


def test_a_stop_is_asked_for_from_another_process(house: House, folder: Any, run: Any) -> None:
    run(house.begin())
    assert not house.store.journal.cancel_requested("run-1")
    with Store.open(folder) as other:
        other.journal.request_cancel("run-1")
    assert house.store.journal.cancel_requested("run-1")


def test_a_dead_run_can_be_given_up(house: House, folder: Any, run: Any) -> None:
    run(house.begin())
    house.store.close()
    with Store.open(folder) as other:
        run(other.journal.give_up("run-1", "cancelled after it had died"))
        row = other.journal.run("run-1")
        assert (row.status, row.resumable, row.reason) == ("cancelled", False, "cancelled after it had died")


def test_a_task_is_rebuilt_with_all_that_is_known_of_it(house: House, run: Any) -> None:
    at = house.clock()
    task = {"run_id": "run-1", "at": at, "step": "white", "key": "in/a@b.jpg"}
    events = [
        ItemFound(**task, seq=2, index=4, item="in/a@b.jpg", matrix={"look": "sun"}, order=(4, 0)),
        TaskStarted(
            **task, seq=3, fingerprint="f1", input={"image": "in/a@b.jpg"}, input_files=(("image", "in/a@b.jpg", "s"),)
        ),
        TaskRetrying(**task, seq=4, attempt=2, delay_seconds=1.0, kind="gateway", message="busy"),
        PredictionFinished(**task, seq=5, prediction_id="p-1", status="succeeded", service_seconds=1.25),
        FileSaved(**task, seq=6, path="out/a.png", sha256="s", size=3),
        FileSaved(**task, seq=7, path="out/a.png", sha256="s", size=3, restored=True),
        TaskSucceeded(
            **task,
            seq=8,
            seconds=2.5,
            attempts=2,
            fingerprint="f1",
            output={"x": 1},
            files=(FILE,),
            prediction_id="p-1",
        ),
    ]

    async def main() -> None:
        await house.begin()
        for event in events:
            house.store.journal.record(event)
        await house.store.journal.drain()

    run(main())
    (row,) = house.store.journal.tasks("run-1")
    assert (row.step, row.key, row.status, row.attempts, row.seconds) == (
        "white",
        "in/a@b.jpg",
        TaskStatus.SUCCEEDED,
        2,
        2.5,
    )
    assert (row.index, row.item, row.matrix, row.order) == (4, "in/a@b.jpg", {"look": "sun"}, (4, 0))
    assert (row.input, row.input_files) == ({"image": "in/a@b.jpg"}, (("image", "in/a@b.jpg", "s"),))
    assert (row.output, row.files, row.prediction_id, row.service_seconds) == ({"x": 1}, (FILE,), "p-1", 1.25)
    assert row.saved == (SavedFile("out/a.png", "s", 3, restored=True),)
    assert (row.found_at, row.started_at, row.finished_at) == (at, at, at)


def test_failures_and_skips_keep_their_reasons(house: House, run: Any) -> None:
    async def main() -> None:
        journal = house.store.journal
        await house.begin()
        journal.record(ItemFound(run_id="run-1", seq=2, step="white", key="a"))
        journal.record(ItemFound(run_id="run-1", seq=3, step="looks", key="a"))
        journal.record(ItemFound(run_id="run-1", seq=4, step="white", key="b"))
        journal.record(
            TaskFailed(
                run_id="run-1", seq=5, step="white", key="a", kind="task", code="task.failed", message="too dark"
            )
        )
        journal.record(
            TaskSkipped(
                run_id="run-1", seq=6, step="looks", key="a", reason="white@a failed", cause="white@a", by_failure=True
            )
        )
        await journal.drain()

    run(main())
    first, second, third = house.store.journal.tasks("run-1")
    assert (first.task, first.status, first.error_kind) == ("white@a", TaskStatus.FAILED, "task")
    assert (first.error_code, first.error_message) == ("task.failed", "too dark")
    assert (second.task, second.status) == ("white@b", None)
    assert (third.task, third.skip_reason, third.skip_cause, third.by_failure) == (
        "looks@a",
        "white@a failed",
        "white@a",
        True,
    )


def test_a_resumed_run_starts_its_tasks_afresh_and_drops_those_it_did_not_find_again(house: House, run: Any) -> None:
    async def main() -> None:
        journal = house.store.journal
        await house.begin()
        for seq, key in enumerate("ab", start=2):
            journal.record(ItemFound(run_id="run-1", seq=seq, step="white", key=key))
        journal.record(TaskFailed(run_id="run-1", seq=4, step="white", key="a", kind="task", code="c", message="m"))
        await journal.resume_run(RunResumed(run_id="run-1", seq=5))
        journal.record(ItemFound(run_id="run-1", seq=6, step="white", key="a"))
        journal.record(TaskSucceeded(run_id="run-1", seq=7, step="white", key="a", seconds=1.0))
        await journal.drain()
        first, second = journal.tasks("run-1")
        assert (first.key, first.status, first.error_message) == ("a", TaskStatus.SUCCEEDED, None)
        assert (second.key, second.status) == ("b", None)
        await journal.finish_run(finished(seq=8))
        assert [row.key for row in journal.tasks("run-1")] == ["a"]

    run(main())


def test_an_unknown_run_is_an_error_and_not_an_empty_history(house: House) -> None:
    with pytest.raises(StoreError, match='no run "nope"'):
        list(house.store.journal.events("nope"))


def test_old_history_is_forgotten_but_never_a_submission(house: House, run: Any) -> None:
    async def main() -> None:
        for name in ("run-1", "run-2", "run-3"):
            await house.begin(name)
        await house.intend(run_id="run-1")
        await house.store.journal.finish_run(finished(at=house.clock()))
        await house.store.journal.finish_run(
            finished(RunStatus.CANCELLED, at=house.clock(), run_id="run-2", resumable=True)
        )
        house.clock.pass_seconds(86400)
        assert house.store.journal.forget_before(house.clock() - timedelta(hours=1)) == 1
        assert [row.id for row in house.store.journal.runs()] == ["run-3", "run-2"]
        assert len(house.store.ledger.rows("f1")) == 1

    run(main())


def test_a_reader_sees_everything_and_changes_nothing(house: House, folder: Any, run: Any) -> None:
    run(house.begin())
    with Store.open(folder, write=False) as reader:
        assert reader.journal.run().lives
        assert [event.seq for event in reader.journal.events("run-1")] == [1]
        with pytest.raises(StoreError, match="reading only"):
            reader.journal.request_cancel("run-1")
