"""`speedpix-pipe watch` as it is typed: the starter, what it prints, its exit codes, its signals."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from speedpix_pipe.app.runs import cancel
from speedpix_pipe.emulator import EmulatorThread, Fault
from speedpix_pipe.emulator.photos import render_product_photos
from speedpix_pipe.store import Store
from tests.conftest import Ran
from tests.functional.watching import SPEC, Desk, created, emulator, jpeg, typed, until

pytestmark = pytest.mark.slow
PIPELINES = Path(__file__).parents[2] / "pipelines"
RUN_KEYS = {"run_id", "status", "resumable", "tasks", "predictions", "files", "errors", "outputs", "seconds"}


@pytest.fixture
def desk(tmp_path: Path, service: EmulatorThread, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path, service)
    monkeypatch.chdir(tmp_path)
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    return desk


def now(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    asyncio.run(until(condition, seconds))


# --- the starter ---


def test_the_starter_turns_twelve_dropped_pictures_into_twelve_results(tmp_path: Path) -> None:
    folder = tmp_path / "pipelines"
    shutil.copytree(
        PIPELINES, folder, ignore=shutil.ignore_patterns(".speedpix", "inbox", "hot-inbox", "out", "results")
    )
    photos = render_product_photos(tmp_path / "camera")
    inbox, results = folder / "hot-inbox", folder / "results/hot-folder"
    inbox.mkdir()
    with typed(folder, "hot-folder.yaml", "--local", "--json", "--health", "health.json") as watcher:
        now(lambda: "watching hot-inbox" in (folder / "stderr").read_text())
        for photo in photos:
            shutil.copy(photo, inbox)
        now(lambda: len(list((inbox / "done").glob("*.jpg"))) == 12)
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(30) == 130
    made = sorted(results.iterdir())
    assert [path.stem for path in made] == sorted(path.stem for path in photos)
    for path in made:
        with Image.open(path) as picture:
            picture.load()
    runs = [json.loads(line) for line in (folder / "stdout").read_text().splitlines()]
    assert sum(run["tasks"]["succeeded"] for run in runs) == 12
    assert {run["status"] for run in runs} == {"succeeded"}
    assert (folder / "stderr").read_text().count("done: hot-inbox/") == 12
    assert json.loads((folder / "health.json").read_text())["alive"] is False
    assert not list(inbox.glob("*.jpg"))


# --- what is printed ---


def test_once_prints_an_object_for_each_run_and_a_line_for_each_file(desk: Desk, cli: Callable[..., Ran]) -> None:
    desk.rewrite(SPEC.replace("settle: 100ms", "settle: 100ms\n  batch: {max_files: 2}"))
    for number in range(5):
        desk.drop(f"{number}.dat")
    ran = cli("watch", "hot.yaml", "--once", "--json")
    assert ran.code == 0
    runs = [json.loads(line) for line in ran.out.splitlines()]
    assert sorted(run["tasks"]["total"] for run in runs) == [1, 2, 2]
    assert all(set(run) == RUN_KEYS for run in runs)
    assert len({run["run_id"] for run in runs}) == 3
    assert sorted(file["path"] for run in runs for file in run["files"]) == [f"out/{n}.dat.txt" for n in range(5)]
    assert [line for line in ran.err.splitlines() if line.startswith("done: inbox/")] != []
    assert ran.err.splitlines()[-1] == "5 done, 0 failed"


def test_structured_logs_are_json_to_the_last_line(
    desk: Desk, cli: Callable[..., Ran], service: EmulatorThread
) -> None:
    service.add_fault(Fault("task-failed", "submit", match="bad.dat"))
    desk.drop("bad.dat")
    desk.drop("good.dat")
    ran = cli("watch", "hot.yaml", "--once", "--log-format", "json")
    assert (ran.code, ran.out) == (1, "")
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert all("event" in line and "at" in line for line in lines)
    said = [line["message"] for line in lines if line["event"] == "watch"]
    assert any(text.startswith("watching inbox") for text in said)
    assert any(text.startswith("done: inbox/good.dat") for text in said)
    assert any(text.startswith("failed: inbox/bad.dat") for text in said)
    assert {"RunStarted", "TaskSucceeded", "TaskFailed", "RunFinished"} <= {line["event"] for line in lines}


def test_the_health_file_says_what_a_supervisor_asks(desk: Desk) -> None:
    health = desk.folder / "health.json"

    def counted() -> tuple[int, int, int]:
        now = json.loads(health.read_text())
        (folder,) = now["folders"]
        return now["done"], folder["waiting"], folder["claimed"]

    async def work() -> None:
        async with desk.watching(health=health):
            desk.drop("a.dat")
            desk.drop("b.dat")
            await until((desk.done / "b.dat").exists)
            await until((desk.done / "a.dat").exists)
            # It is written once a second, and may be between a verdict and the end of a claim
            await until(lambda: counted() == (2, 0, 0))
            now = json.loads(health.read_text())
            assert (now["status"], now["why"], now["alive"], now["pid"]) == ("green", [], True, os.getpid())
            (folder,) = now["folders"]
            assert (folder["folder"], folder["mode"], folder["mode_why"]) == ("inbox", "events", None)
            assert now["failed"] == 0
            assert folder["last_scan"] <= now["at"]
            assert {last["file"] for last in now["last_verdicts"]} == {"inbox/a.dat", "inbox/b.dat"}
            assert {last["run_id"] for last in now["last_verdicts"]} <= {run.run_id for run in desk.runs}

    asyncio.run(work())
    assert json.loads(health.read_text())["alive"] is False


# --- exit codes ---


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("steps:", "stepz:"), 2, "stepz"),
        (("watch:", "x-watch:"), 2, "has no `watch` section"),
        (("folder: inbox", "folder: nowhere"), 2, "nowhere is not there"),
        (('"*.jpg"', '"../*.jpg"'), 2, "leads out of the watched folder"),
        (("param: photos", "param: photoz"), 2, "photos"),
        (("settle: 100ms", "on_success: {move: inbox}"), 2, "cannot be moved to inbox itself"),
    ],
)
def test_what_cannot_work_is_refused_with_2(
    desk: Desk, cli: Callable[..., Ran], change: tuple[str, str], code: int, said: str
) -> None:
    text = SPEC.replace(*change)
    if "x-watch" in text:
        text = text.replace("photos: {type: files}", 'photos: {type: files, default: "inbox/*", allow_empty: true}')
    desk.rewrite(text)
    ran = cli("watch", "hot.yaml", "--once", "--json")
    assert ran.code == code, ran.err
    assert said in ran.err
    assert ran.json["run_id"] is None
    assert ran.json["tasks"]["total"] == 0
    assert said in json.dumps(ran.json["errors"])


def test_wrong_keys_end_with_3_and_an_object(
    desk: Desk, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEEDPIX_APP_SECRET", "wrong")
    desk.drop("a.dat")
    ran = cli("watch", "hot.yaml", "--once", "--json")
    assert ran.code == 3
    assert ran.json["status"] == "failed"
    assert len(desk.claims) == 1


def test_a_failed_file_ends_once_with_1(desk: Desk, cli: Callable[..., Ran], service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "poll"))
    desk.drop("a.dat")
    ran = cli("watch", "hot.yaml", "--once")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "0 done, 1 failed"


# --- signals ---


def test_the_second_signal_leaves_at_once_and_the_next_start_joins(tmp_path: Path) -> None:
    with emulator(latency=8.0) as service:
        desk = Desk(tmp_path, service)
        desk.drop("a.dat")
        with typed(tmp_path, "hot.yaml", "--grace", "60s", **desk.environment) as watcher:
            now(lambda: created(desk) == 1)
            began = time.monotonic()
            watcher.send_signal(signal.SIGTERM)
            now(lambda: "stopping" in (tmp_path / "stderr").read_text())
            watcher.send_signal(signal.SIGTERM)
            assert watcher.wait(30) == 130
            assert time.monotonic() - began < 7, "it did not wait for the prediction"
        assert len(desk.claims) == 1
        assert desk.once().done == 1
        assert desk.predictions == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_stops_an_idle_watcher_in_order(desk: Desk, number: signal.Signals) -> None:
    with typed(desk.folder, "hot.yaml") as watcher:
        now(lambda: "watching" in (desk.folder / "stderr").read_text())
        watcher.send_signal(number)
        assert watcher.wait(30) == 130
    assert "Traceback" not in (desk.folder / "stderr").read_text()
    assert desk.names(desk.inbox) == []


# --- taking over, cancelling ---


def test_claims_of_a_dead_watcher_are_taken_over_with_what_was_paid_for_them(tmp_path: Path) -> None:
    with emulator(latency=2.0) as service:
        desk = Desk(tmp_path, service)
        desk.drop("a.dat")
        with typed(tmp_path, "hot.yaml", **desk.environment) as watcher:
            now(lambda: created(desk) == 1)
            watcher.kill()
        (old,) = (desk.inbox / ".speedpix-claims").iterdir()
        (tmp_path / "hot.yaml").rename(tmp_path / "other.yaml")  # another spec, and so another watcher
        with typed(tmp_path, "other.yaml", "--once", **desk.environment) as watcher:
            assert watcher.wait(60) == 0
        assert len(desk.claims) == 1, "never taken automatically"
        with typed(tmp_path, "other.yaml", "--once", "--take-over", old.name, **desk.environment) as watcher:
            assert watcher.wait(60) == 0
        assert desk.names(desk.done) == ["a.dat"]
        assert desk.predictions == 1


def test_runs_cancel_fails_the_files_of_that_run_and_the_watcher_goes_on(tmp_path: Path) -> None:
    with emulator(latency=4.0) as service:
        desk = Desk(tmp_path, service)

        async def work() -> None:
            async with desk.watching():
                desk.drop("a.dat")
                await until(lambda: desk.predictions == 1)
                cancel = [sys.executable, "-m", "speedpix_pipe", "runs", "cancel"]
                process = await asyncio.create_subprocess_exec(*cancel, cwd=tmp_path, stderr=asyncio.subprocess.PIPE)
                await process.communicate()
                await until((desk.failed / "a.dat").exists)
                desk.drop("b.dat")
                await until((desk.done / "b.dat").exists)

        asyncio.run(work())
        assert "runs cancel" in desk.note("a.dat")["message"]


def test_runs_cancel_of_a_batch_that_waits_for_the_next_start_fails_its_files_and_pays_no_more(tmp_path: Path) -> None:
    with emulator(latency=1.0) as service:
        second = (
            "  second: {workflow: work, for_each: '${{ steps.work }}', input: {name: '2 ${{ item.name }}'}}\nwatch:"
        )
        desk = Desk(tmp_path, service, SPEC.replace("watch:", second))

        async def first() -> None:
            async with desk.watching(grace_seconds=0.01):
                desk.drop("a.dat")
                await until(lambda: desk.predictions == 1)

        asyncio.run(first())
        with Store.open(tmp_path / ".speedpix") as store:
            assert not cancel(store, store.journal.run())
            cancelled = store.journal.run()
        assert desk.once().failed == 1
        assert desk.predictions == 1, "the second step was never asked for"
        assert desk.note("a.dat")["run_id"] == cancelled.id
        assert "runs cancel" in desk.note("a.dat")["message"]
        with Store.open(tmp_path / ".speedpix", write=False) as store:
            assert store.journal.runs() == [cancelled]


# --- verdicts ---


def verdicts(desk: Desk, spec: str, *names: str) -> dict[str, str]:
    desk.rewrite(spec)
    for name in names:
        desk.drop(name)
    desk.once()
    return {name: "done" if (desk.done / name).exists() else "failed" for name in names}


def test_a_file_that_no_step_wants_is_done(desk: Desk) -> None:
    spec = SPEC.replace("    input:", "    when: item.name == 'a.dat'\n    input:", 1)
    assert verdicts(desk, spec, "a.dat", "b.dat") == {"a.dat": "done", "b.dat": "done"}
    assert desk.predictions == 1


def test_an_ignored_failure_is_done(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "submit", match="b.dat", times=0))
    spec = SPEC.replace("    input:", "    on_error: ignore\n    input:", 1)
    assert verdicts(desk, spec, "a.dat", "b.dat") == {"a.dat": "done", "b.dat": "done"}


def test_files_that_a_limit_left_out_fail_and_say_so(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "submit", times=0))
    spec = SPEC.replace("steps:", "limits: {concurrency: 1, max_failures: 1}\nsteps:", 1)
    assert verdicts(desk, spec, "a.dat", "b.dat", "c.dat") == dict.fromkeys(("a.dat", "b.dat", "c.dat"), "failed")
    assert any("max_failures" in desk.note(name)["message"] for name in ("a.dat", "b.dat", "c.dat"))


def test_a_file_that_fails_in_its_second_step_fails_and_names_it(desk: Desk, service: EmulatorThread) -> None:
    second = """  look:
    workflow: work
    for_each: ${{ steps.work }}
    input: {name: "look ${{ item.name }}"}
watch:"""
    service.add_fault(Fault("task-failed", "submit", match="look b", times=0))
    assert verdicts(desk, SPEC.replace("watch:", second), "a.dat", "b.dat") == {"a.dat": "done", "b.dat": "failed"}
    assert desk.note("b.dat")["step"] == "look@inbox/b.dat"


def test_an_unknown_submission_in_a_gather_fails_the_whole_batch(tmp_path: Path) -> None:
    from tests.functional.watching import answer

    gather = """  sheet:
    workflow: sheet
    input: {all: "${{ steps.work.outputs | map(attribute='v') }}", name: sheet}
watch:"""
    with emulator(workflows={"work": answer, "sheet": answer}) as service:
        service.add_fault(Fault("reset-after", "submit", match="sheet", times=0))
        desk = Desk(tmp_path, service)
        assert verdicts(desk, SPEC.replace("watch:", gather), "a.dat", "b.dat") == {
            "a.dat": "failed",
            "b.dat": "failed",
        }
        assert desk.note("a.dat")["step"] == "sheet"
        # Dropping them again is free as far as it succeeded, and the sheet in doubt is still not paid for twice
        before = desk.predictions
        for name in ("a.dat", "b.dat"):
            (desk.failed / name).rename(desk.inbox / name)
        assert desk.once().failed == 2
        assert desk.predictions == before


def test_a_file_larger_than_the_contract_allows_fails_alone_and_costs_nothing(desk: Desk) -> None:
    """What a field may hold is said by its contract; a picture's own size can be asked about in the spec."""
    contract = (
        "workflows:\n"
        "  work: {id: work, input: {image: {type: file}, name: {type: string}, bytes: {type: integer, maximum: 2000}}}\n"
        "steps:"
    )
    spec = SPEC.replace("steps:", contract, 1).replace("    input: {", '    input: {bytes: "${{ item.size }}", ', 1)
    desk.rewrite(spec)
    desk.drop("large.jpg", jpeg(1, size=900))
    desk.drop("small.jpg", jpeg(2))
    outcome = desk.once()
    assert (outcome.done, outcome.failed, desk.predictions) == (1, 1, 1)
    assert "bytes" in desk.note("large.jpg")["message"]
    assert "2000" in desk.note("large.jpg")["message"]


def test_a_picture_of_more_pixels_than_anybody_works_on_fails_and_costs_nothing(desk: Desk) -> None:
    huge = desk.folder / "huge.png"
    Image.new("1", (20_000, 20_000)).save(huge)
    desk.drop("huge.png", huge.read_bytes())
    desk.rewrite(SPEC.replace('"*.jpg"', '"*.png"'))
    assert desk.once().failed == 1
    assert "million pixels" in desk.note("huge.png")["message"]
    assert desk.predictions == 0


# --- places ---


def test_places_may_be_anywhere_and_keep_sub_folders(tmp_path: Path, service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "submit", match="bad.dat", times=0))
    elsewhere = tmp_path / "elsewhere"
    moves = f"settle: 100ms\n  on_success: {{move: ../{tmp_path.name}/good}}\n  on_failure: {{move: {elsewhere}}}"
    desk = Desk(tmp_path, service, SPEC.replace("settle: 100ms", moves).replace('"*.dat"', '"**/*.dat"'))
    desk.drop("monday/fine.dat")
    desk.drop("monday/bad.dat")
    assert desk.once().exit_code == 1
    assert desk.names(tmp_path / "good/monday") == ["fine.dat"]
    assert desk.names(elsewhere / "monday") == ["bad.dat", "bad.dat.error.json"]


def test_only_one_of_the_two_places_may_be_given(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "submit", match="bad.dat", times=0))
    desk.rewrite(SPEC.replace("settle: 100ms", "settle: 100ms\n  on_failure: {move: inbox/bad ones}"))
    desk.drop("fine.dat")
    desk.drop("bad.dat")
    desk.once()
    assert desk.names(desk.done) == ["fine.dat"]
    assert desk.names(desk.inbox / "bad ones") == ["bad.dat", "bad.dat.error.json"]


def notes_of(desk: Desk) -> list[Any]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in desk.failed.glob("*.error.json")]


def test_notes_are_sentences_that_somebody_without_a_terminal_understands(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "submit", match="no.dat", times=0))
    service.add_fault(Fault("reset-after", "submit", match="doubt.dat", times=0))
    desk.drop("empty.jpg", b"")
    desk.drop("no.dat")
    desk.drop("doubt.dat")
    desk.once()
    notes = {note["file"]: note for note in notes_of(desk)}
    assert set(notes) == {"inbox/empty.jpg", "inbox/no.dat", "inbox/doubt.dat"}
    for note in notes.values():
        assert set(note) == {"message", "file", "reason", "step", "run_id", "time"}
        assert note["message"].endswith(".")
        assert "Traceback" not in note["message"]
        assert "Error(" not in note["message"]
    assert notes["inbox/empty.jpg"]["message"] == (
        "empty.jpg is empty. It was not processed, and nothing was charged for it."
    )


# --- afterwards ---


def page_of(desk: Desk, run_id: str) -> str:
    from speedpix_pipe.app.report import write_report

    with Store.open(desk.folder / ".speedpix", write=False) as store:
        return write_report(store, store.journal.run(run_id), desk.folder / "page.html").read_text(encoding="utf-8")


def test_the_report_of_a_batch_shows_its_files_from_where_they_lie_now(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "submit", match="bad.jpg", times=0))
    desk.drop("fine.jpg", jpeg(1, size=40))
    desk.drop("bad.jpg", jpeg(2, size=50))
    desk.once()
    desk.drop("fine.jpg", jpeg(3, size=60))  # another file of that name, which is not what the run was given
    page = page_of(desk, desk.runs[0].run_id)
    assert "inbox/done/fine.jpg" in page
    assert "inbox/failed/bad.jpg" in page
    assert '"inbox/fine.jpg"' in page, "it still goes by the name under which it came"
    (desk.done / "fine.jpg").write_bytes(jpeg(4, size=70))
    assert "inbox/done/fine.jpg" not in page_of(desk, desk.runs[0].run_id), "somebody has put another picture there"


def test_a_file_that_was_edited_where_it_lies_is_not_done_again_as_what_it_was(
    desk: Desk, service: EmulatorThread, cli: Callable[..., Ran]
) -> None:
    service.add_fault(Fault("task-failed", "submit", match="shoe", times=1))
    desk.drop("shoe.jpg", jpeg(1))
    assert desk.once().failed == 1
    kept = (desk.failed / "shoe.jpg").read_bytes()
    (desk.failed / "shoe.jpg").write_bytes(b"edited")
    ran = cli("runs", "redo", "--failed")
    assert ran.code == 2
    assert "are not what they were" in ran.err
    (desk.failed / "shoe.jpg").write_bytes(kept)
    assert cli("runs", "redo", "--failed").code == 0


def test_old_claims_of_another_watcher_are_spoken_of_and_never_taken(desk: Desk) -> None:
    claim = desk.inbox / ".speedpix-claims/other-1234/01HZZZZZZZZZZZZZZZZZZZZZZZ/shoe.dat"
    claim.parent.mkdir(parents=True)
    claim.write_bytes(b"left behind")
    os.utime(claim.parent, (time.time() - 7200, time.time() - 7200))

    async def work() -> None:
        async with desk.watching():
            await until(lambda: any("over an hour ago" in line for line in desk.lines))
            await asyncio.sleep(1.2)

    asyncio.run(work())
    (said,) = [line for line in desk.lines if "over an hour ago" in line]
    assert said.startswith("inbox holds files that watcher other-1234 claimed")
    assert said.endswith("adopt them with --take-over other-1234")
    assert claim.exists()


def test_a_signal_ends_claiming_at_once(tmp_path: Path) -> None:
    with emulator(latency=1.5) as service:
        desk = Desk(tmp_path, service, SPEC.replace("settle: 100ms", "settle: 100ms\n  batch: {max_files: 4}"))
        for number in range(60):
            desk.drop(f"{number}.dat")
        with typed(tmp_path, "hot.yaml", "--concurrency", "1", "--grace", "3s", **desk.environment) as watcher:
            now(lambda: desk.predictions >= 1)
            now(lambda: len(desk.claims) >= 4)
            watcher.send_signal(signal.SIGTERM)
            now(lambda: "stopping" in (tmp_path / "stderr").read_text())
            waiting = {name for name in desk.names(desk.inbox) if name.endswith(".dat")}
            assert watcher.wait(60) == 130
        left = {name for name in desk.names(desk.inbox) if name.endswith(".dat")}
        assert left <= waiting
        assert len(waiting) - len(left) <= 4, "no more than the batch that was being claimed at that moment"
        assert desk.predictions <= 2, "no new submissions either"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_watcher_goes_on_when_nobody_reads_its_log_any_more(desk: Desk, form: str) -> None:
    command = [sys.executable, "-m", "speedpix_pipe", "watch", "hot.yaml", "--log-format", form]
    with subprocess.Popen(command, cwd=desk.folder, stderr=subprocess.PIPE) as watcher:
        assert watcher.stderr is not None
        assert b"watching" in watcher.stderr.readline()
        watcher.stderr.close()
        desk.drop("a.dat")
        now((desk.done / "a.dat").exists)
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(30) == 130
