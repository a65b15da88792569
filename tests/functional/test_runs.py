"""`runs`: what the journal tells afterwards, and what it lets one do."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from speedpix_pipe.cli.output import Terminal
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread, Fault

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SPEC = """
apiVersion: speedpix-pipe/v1
name: words
params:
  words: {type: array, default: [one, two, three]}
  style: {type: string, default: plain}
workflows:
  text-to-image: {id: text-to-image, price: 0.2}
steps:
  draw:
    workflow: text-to-image
    for_each: ${{ params.words }}
    input: {prompt: "${{ item }} ${{ params.style }}", width: 64, height: 64}
    save: out/${{ item }}.${{ ext }}
"""


@pytest.fixture
def spec(project: Path) -> Path:
    path = project / "words.yaml"
    path.write_text(SPEC)
    return path


def test_without_any_run_there_is_nothing_to_tell(cli, project):
    ran = cli("runs", "list")
    assert ran.code == 2
    assert ".speedpix" in ran.err


def test_the_list_has_the_newest_first(cli, spec, emulator):
    first = cli("run", "words.yaml", "--json").json["run_id"]
    second = cli("run", "words.yaml", "--json").json["run_id"]
    rows = cli("runs", "list", "--json").json
    assert [row["run_id"] for row in rows] == [second, first]
    assert rows[0]["tasks"]["cached"] == 3
    assert rows[0]["status"] == "succeeded"
    assert [row["run_id"] for row in cli("runs", "list", "--limit", "1", "--json").json] == [second]
    assert cli("runs", "list").out.splitlines()[0].startswith(second)


def test_the_state_is_found_from_any_folder_below(cli, spec, emulator, monkeypatch, tmp_path):
    cli("run", "words.yaml")
    monkeypatch.chdir(spec.parent / "out")
    assert cli("runs", "list").code == 0
    monkeypatch.chdir(tmp_path)
    assert cli("runs", "list").code == 2
    monkeypatch.setenv("SPEEDPIX_STATE_DIR", str(spec.parent / ".speedpix"))
    assert cli("runs", "list").code == 0


def test_show_says_what_run_said(cli, spec, emulator):
    summary = cli("run", "words.yaml", "--json").json
    shown = cli("runs", "show", summary["run_id"][:-2], "--json").json
    assert {name: shown[name] for name in summary if name != "seconds"} == {
        name: value for name, value in summary.items() if name != "seconds"
    }
    assert {task["status"] for task in shown["details"]} == {"succeeded"}
    assert all(task["seconds"] is not None and task["attempts"] == 1 for task in shown["details"])
    assert "3 succeeded" in cli("runs", "show").out


def test_a_run_that_does_not_exist_exits_2(cli, spec, emulator):
    cli("run", "words.yaml")
    assert cli("runs", "show", "x").code == 2


def test_unknown_submissions_are_listed_with_time_step_key_and_price(cli, spec, emulator):
    emulator.add_fault(Fault("reset-after", "submit"))
    run = cli("run", "words.yaml", "--json").json
    (row,) = cli("runs", "show", "--unknown", "--json").json
    assert (row["step"], row["price"], row["run_id"]) == ("draw", 0.2, run["run_id"])
    assert row["time"]
    assert f"draw@{row['key']}  0.20" in cli("runs", "show", "--unknown").out
    again = cli("run", "words.yaml", "--json").json
    assert again["predictions"] == {"submitted": 0, "resumed": 0, "unknown": 1}
    assert [row["run_id"] for row in cli("runs", "show", "--unknown", "--json").json] == [run["run_id"]]


def test_why_a_task_ran_names_what_changed(cli, spec, emulator):
    cli("run", "words.yaml")
    assert "no earlier run had this task" in cli("runs", "why", "draw@one").out
    cli("run", "words.yaml")
    assert "reused" in cli("runs", "why", "draw@one").out
    cli("run", "words.yaml", "-p", "style=bold")
    ran = cli("runs", "why", "draw@one")
    assert "its input changed" in ran.out
    assert '"one plain" -> "one bold"' in ran.out
    (change,) = cli("runs", "why", "draw@one", "--json").json["changes"]
    assert change == {"place": "prompt", "before": "one plain", "now": "one bold"}


def test_why_knows_equal_tasks_and_refuses_what_is_none(cli, spec, emulator):
    spec.write_text(SPEC.replace("${{ item }} ${{ params.style }}", "same"))
    cli("run", "words.yaml", "-p", "style=x")
    said = {cli("runs", "why", f"draw@{key}").out.partition(": ")[2] for key in ("one", "two", "three")}
    assert len(said) == 2
    assert any("an equal task of the same run did it" in sentence for sentence in said)
    assert cli("runs", "why", "draw@four").code == 2
    assert cli("runs", "why", "nix@one").code == 2


def test_redo_pays_anew_for_exactly_what_was_named(cli, spec, emulator):
    first = cli("run", "words.yaml", "--json").json["run_id"]
    ran = cli("runs", "redo", "draw@two", "--json")
    assert ran.code == 0
    assert ran.json["predictions"]["submitted"] == 1
    assert [file["key"] for file in ran.json["files"]] == ["two"]
    assert cli("runs", "list", "--json").json[0]["origin"] == first
    assert len(emulator.predictions()) == 4


def test_redo_tries_failed_and_sends_unknown_again_only_when_asked(cli, spec, emulator):
    emulator.add_fault(Fault("task-failed", "poll"))
    emulator.add_fault(Fault("reset-after", "submit"))
    run = cli("run", "words.yaml", "--json").json
    assert (run["tasks"]["failed"], run["tasks"]["unknown"]) == (1, 1)
    failed = cli("runs", "redo", run["run_id"], "--failed", "--json")
    assert (failed.code, failed.json["predictions"]["submitted"]) == (0, 1)
    unknown = cli("runs", "redo", run["run_id"], "--unknown", "--json")
    assert (unknown.code, unknown.json["predictions"]["submitted"]) == (0, 1)
    assert cli("runs", "show", run["run_id"], "--unknown", "--json").json == []


def test_redo_with_nothing_to_do_exits_2_with_the_json_of_run(cli, spec, emulator):
    cli("run", "words.yaml")
    for arguments in ((), ("--failed",), ("draw@nix",), ("one", "two", "draw@one")):
        ran = cli("runs", "redo", *arguments, "--json")
        assert ran.code == 2
        assert ran.json["run_id"] is None


def test_redo_asks_and_keeps_to_limits_like_any_run(cli, spec, emulator, monkeypatch):
    cli("run", "words.yaml")
    spec.write_text(SPEC + "limits: {max_predictions: 1}\n")
    assert cli("runs", "redo", "draw@*", "--json").json["errors"][0]["type"] == "plan.max-predictions"
    monkeypatch.setattr(
        "speedpix_pipe.cli.running.terminal", lambda: Terminal(live=True, color=False, width=80, wrap=80, language="en")
    )
    monkeypatch.setattr(sys, "stdin", Typed("n\n"))
    ran = cli("runs", "redo", "draw@one")
    assert ran.code == 130
    assert "1 prediction, at most 0.20 in all. Go on?" in ran.err


class Typed(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_cancel_ends_a_run_from_outside_for_good(cli, spec, monkeypatch):
    with EmulatorThread(EmulatorOptions(latency=60.0)) as slow:
        for name, value in (("ENDPOINT", slow.url), ("APP_KEY", "local"), ("APP_SECRET", "local")):
            monkeypatch.setenv(f"SPEEDPIX_{name}", value)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        process = subprocess.Popen(
            [sys.executable, "-m", "speedpix_pipe", "run", "words.yaml", "--grace", "0.1s"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in process.stderr:
            if "first of 3" in line:
                break
        assert cli("runs", "list", "--json").json[0]["status"] == "running"
        assert cli("runs", "cancel", "--json").json["asked"] is True
        _, err = process.communicate(timeout=30)
        assert process.returncode == 1, err
    (row,) = cli("runs", "list", "--json").json
    assert (row["status"], row["resumable"]) == ("cancelled", False)
    assert cli("runs", "cancel").code == 2


def test_cancel_of_a_run_that_died_keeps_it_from_being_resumed(cli, spec, monkeypatch):
    with EmulatorThread(EmulatorOptions(latency=60.0)) as slow:
        for name, value in (("ENDPOINT", slow.url), ("APP_KEY", "local"), ("APP_SECRET", "local")):
            monkeypatch.setenv(f"SPEEDPIX_{name}", value)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        process = subprocess.Popen(
            [sys.executable, "-m", "speedpix_pipe", "run", "words.yaml"], stderr=subprocess.PIPE, text=True
        )
        for line in process.stderr:
            if "first of 3" in line:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    (row,) = cli("runs", "list", "--json").json
    assert (row["status"], row["resumable"]) == ("died", True)
    assert cli("runs", "cancel", "--json").json["asked"] is False
    (row,) = cli("runs", "list", "--json").json
    assert (row["status"], row["resumable"]) == ("cancelled", False)


def test_prune_frees_what_nothing_needs(cli, spec, emulator):
    cli("run", "words.yaml")
    ran = cli("runs", "prune", "--max-size", "1GB", "--json").json
    assert (ran["files"], ran["kept_files"]) == (0, 3)
    assert cli("runs", "prune", "--max-size", "much").code == 2
    assert "3 files kept" in cli("runs", "prune").out


def test_a_damaged_journal_stops_runs_until_it_is_repaired(cli, spec, emulator):
    cli("run", "words.yaml")
    journal = Path(".speedpix/journal.db")
    data = bytearray(journal.read_bytes())
    data[4096 * 2 : 4096 * 4] = b"\xff" * 8192
    journal.write_bytes(bytes(data))
    ran = cli("run", "words.yaml", "--json")
    assert ran.code == 2
    assert "runs repair" in ran.err
    assert cli("runs", "repair").code == 0
    assert cli("run", "words.yaml", "--json").code == 0
    assert len(emulator.predictions()) <= 6
