"""Hot folders end to end: where a file goes in the end, and what is said of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from speedpix_pipe.emulator import EmulatorThread, Fault
from speedpix_pipe.errors import SpecError, UsageError
from tests.functional.watching import HEAD, SPEC, Desk, Noon, emulator, jpeg, until

pytestmark = pytest.mark.slow


# --- verdicts ---


def test_a_failed_file_moves_with_its_reason_and_comes_back_when_dragged(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "poll"))
    desk.drop("shoe.jpg", jpeg(1))
    assert desk.once().exit_code == 1
    note = desk.note("shoe.jpg")
    assert note["step"] == "work@inbox/shoe.jpg"
    assert note["run_id"] == desk.runs[0].run_id
    assert "shoe.jpg could not be finished" in note["message"]

    (desk.failed / "shoe.jpg").rename(desk.inbox / "shoe.jpg")
    assert desk.once().exit_code == 0
    assert desk.names(desk.failed) == []
    assert desk.names(desk.done) == ["shoe.jpg"]


def test_a_second_file_of_a_name_never_covers_the_first(desk: Desk) -> None:
    for number in range(3):
        desk.drop("shoe.jpg", jpeg(number))
        assert desk.once().done == 1
    assert desk.names(desk.done) == ["shoe-1.jpg", "shoe-2.jpg", "shoe.jpg"]
    assert (desk.done / "shoe.jpg").read_bytes() == jpeg(0)


def test_an_unknown_submission_fails_its_file_only(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("reset-after", "submit", match="b.dat"))
    desk.drop("a.dat")
    desk.drop("b.dat")
    outcome = desk.once()
    assert (outcome.done, outcome.failed) == (1, 1)
    assert desk.names(desk.failed) == ["b.dat", "b.dat.error.json"]


GATHER = SPEC.replace(
    "watch:",
    """  sheet:
    workflow: sheet
    input: {all: "${{ steps.work.outputs | map(attribute='v') }}"}
watch:""",
)


def test_a_gather_that_fails_fails_its_whole_batch(tmp_path: Path) -> None:
    from speedpix_pipe.emulator import WorkflowError
    from tests.functional.watching import answer

    def broken(_: object) -> object:
        raise WorkflowError("no paper")

    with emulator(workflows={"work": answer, "sheet": broken}) as service:
        desk = Desk(tmp_path, service, GATHER)
        desk.drop("a.dat")
        desk.drop("b.dat")
        assert desk.once().failed == 2
        assert "no paper" in desk.note("a.dat")["message"]
        assert desk.predictions == 3


def test_a_gather_skipped_because_of_one_file_blames_only_that_file(tmp_path: Path) -> None:
    from tests.functional.watching import answer

    with emulator(workflows={"work": answer, "sheet": lambda _: {"v": 1}}) as service:
        desk = Desk(tmp_path, service, GATHER)
        service.add_fault(Fault("task-failed", "submit", match="b.dat"))
        desk.drop("a.dat")
        desk.drop("b.dat")
        outcome = desk.once()
        assert (outcome.done, outcome.failed) == (1, 1)
        assert desk.names(desk.done) == ["a.dat"]


def test_files_that_meet_in_a_step_wait_for_each_other(tmp_path: Path) -> None:
    from tests.functional.watching import answer

    with emulator(workflows={"work": answer, "sheet": lambda inputs: {"v": len(inputs["all"])}}) as service:
        desk = Desk(tmp_path, service, GATHER.replace("settle: 100ms", "settle: 2s"))

        async def work() -> None:
            async with desk.watching():
                for number in range(4):
                    desk.drop(f"{number}.dat")
                    await asyncio.sleep(0.1)
                await until(lambda: len(desk.names(desk.done)) == 4)

        asyncio.run(work())
        assert [run.total for run in desk.runs] == [5]


def test_a_failure_that_no_file_caused_still_leaves_no_file_without_a_reason(tmp_path: Path) -> None:
    from speedpix_pipe.emulator import WorkflowError
    from tests.functional.watching import answer

    def broken(_: object) -> object:
        raise WorkflowError("no colour today")

    spec = SPEC.replace("steps:\n", "steps:\n  paint: {workflow: paint, input: {of: wall}}\n").replace(
        "input: {image", 'input: {ground: "${{ steps.paint.output.v }}", image'
    )
    with emulator(workflows={"work": answer, "paint": broken}) as service:
        desk = Desk(tmp_path, service, spec)
        desk.drop("a.dat")
        assert desk.once().failed == 1
        assert "no colour today" in desk.note("a.dat")["message"]


# --- the spec, budgets, health ---


def test_an_edited_spec_counts_from_the_next_batch_and_a_broken_one_does_not(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            desk.drop("a.dat")
            await until((desk.done / "a.dat").exists)
            desk.rewrite(SPEC.replace("steps:", "stepz:"))
            desk.drop("b.dat")
            await until((desk.done / "b.dat").exists)
            assert any("broken" in line for line in desk.lines)
            desk.rewrite(SPEC.replace('"${{ item.name }}"', '"new ${{ item.name }}"', 1))
            desk.drop("c.dat")
            await until((desk.done / "c.dat").exists)

    asyncio.run(work())
    names = [prediction["inputs"]["name"] for prediction in desk.emulator.predictions()]
    assert names == ["a.dat", "b.dat", "new c.dat"]


def test_the_budget_of_a_day_pauses_claims(desk: Desk) -> None:
    desk.rewrite(SPEC.replace("steps:", "limits: {per_day: 2}\nsteps:", 1))

    async def work() -> None:
        async with desk.watching(clock=Noon()):
            for number in range(5):
                desk.drop(f"{number}.dat")
            await until(lambda: len(desk.names(desk.done)) == 2)
            await until(lambda: any("per_day" in line for line in desk.lines))
            await asyncio.sleep(0.3)

    asyncio.run(work())
    assert desk.predictions == 2
    assert len([name for name in desk.names(desk.inbox) if name.endswith(".dat")]) == 3


def test_the_budget_of_a_day_is_one_for_folders_that_claim_at_the_same_time(desk: Desk) -> None:
    head = HEAD.replace("photos: {type: files}", "photos: {type: files}\n  more: {type: files}")
    head = head.replace("${{ params.photos }}", '"${{ params.photos + params.more }}"')
    entries = [
        f"  - {{folder: {folder}, patterns: ['*.dat'], param: {param}, settle: 100ms}}\n"
        for folder, param in (("inbox", "photos"), ("other", "more"))
    ]
    desk.rewrite(head.replace("steps:", "limits: {per_day: 4}\nsteps:", 1) + "watch:\n" + "".join(entries))
    for number in range(6):
        desk.drop(f"a{number}.dat")
        desk.drop(f"../other/b{number}.dat")

    def slowly(step: str) -> None:
        if step == "claim.renamed":
            time.sleep(0.1)

    desk.once(step=slowly)
    assert desk.predictions == 4


def test_a_spec_without_watch_is_refused(desk: Desk) -> None:
    desk.rewrite(SPEC.partition("watch:")[0])
    with pytest.raises((UsageError, SpecError)):
        desk.once()


def test_files_lying_in_done_cost_nothing_to_have_there(desk: Desk) -> None:
    desk.done.mkdir()
    for number in range(2000):
        (desk.done / f"{number}.dat").touch()

    async def work() -> None:
        async with desk.watching():
            await asyncio.sleep(0.5)
            before = time.process_time()
            await asyncio.sleep(1.0)
            assert time.process_time() - before < 0.2

    asyncio.run(work())
    assert desk.predictions == 0


def test_a_failed_task_is_done_again_from_where_its_file_lies_now(desk: Desk, service: EmulatorThread) -> None:
    from speedpix_pipe.app.redo import RedoRequest, redo
    from speedpix_pipe.settings import load_settings

    service.add_fault(Fault("task-failed", "poll"))
    desk.drop("shoe.jpg", jpeg(1))
    assert desk.once().failed == 1
    request = RedoRequest(desk.folder / ".speedpix", load_settings(None, desk.environment), failed=True)
    outcome = asyncio.run(redo(request, lambda *_: []))
    assert outcome.exit_code == 0
    assert [file.key for file in outcome.summary.files] == ["inbox/shoe.jpg"]
    assert desk.predictions == 2
