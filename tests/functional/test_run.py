"""`run` as its user meets it: exit codes, what stands on stdout and stderr, questions, limits, Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from speedpix_pipe.cli.output import Terminal
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread, Fault

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: words
params:
  words: {type: array, default: [one, two, three]}
  size: {type: integer, default: 64}
steps:
  draw:
    workflow: text-to-image
    for_each: ${{ params.words }}
    input: {prompt: "${{ item }}", width: "${{ params.size }}", height: "${{ params.size }}"}
    save: out/${{ item }}.${{ ext }}
  big:
    workflow: upscale
    for_each: ${{ steps.draw }}
    input: {image: "${{ steps.draw.file }}", scale: 2}
    save: out/big/${{ item }}.${{ ext }}
outputs:
  first: ${{ steps.big.files[0] }}
"""


@pytest.fixture
def spec(project: Path) -> Path:
    path = project / "words.yaml"
    path.write_text(SPEC)
    return path


def one_step(*more: str) -> str:
    head, _, rest = SPEC.partition("  big:")
    assert rest
    return head + "".join(f"{line}\n" for line in more)


def test_json_is_the_only_thing_on_stdout_and_counts_add_up(cli, spec, emulator):
    ran = cli("run", "words.yaml", "--json")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 1
    summary = ran.json
    assert list(summary) == [
        "run_id",
        "status",
        "resumable",
        "tasks",
        "predictions",
        "files",
        "errors",
        "outputs",
        "seconds",
    ]
    assert summary["status"] == "succeeded"
    tasks = summary["tasks"]
    assert tasks["total"] == tasks["succeeded"] == 6
    assert tasks["total"] == sum(count for name, count in tasks.items() if name != "total")
    assert summary["predictions"] == {"submitted": 6, "resumed": 0, "unknown": 0}
    assert len(emulator.predictions()) == 6
    assert summary["outputs"] == {"first": "out/big/one.jpg"}
    assert {file["path"] for file in summary["files"]} >= {"out/one.jpg", "out/big/three.jpg"}
    assert all((spec.parent / file["path"]).is_file() for file in summary["files"])


def test_a_second_run_pays_nothing(cli, spec, emulator):
    assert cli("run", "words.yaml").code == 0
    again = cli("run", "words.yaml", "--json")
    assert again.json["tasks"]["cached"] == 6
    assert again.json["predictions"]["submitted"] == 0
    assert len(emulator.predictions()) == 6


def test_without_json_stdout_lists_the_saved_files_as_seen_from_here(cli, spec, emulator, monkeypatch):
    monkeypatch.chdir(spec.parent.parent)
    ran = cli("run", "project/words.yaml", "-p", 'words=["hat"]')
    assert ran.out.splitlines() == ["project/out/hat.jpg", "project/out/big/hat.jpg"]
    assert "2 succeeded" in ran.err


def test_params_come_from_the_command_line_over_the_file(cli, spec, emulator):
    Path("params.yaml").write_text("words: [hat, cup]\nsize: 96\n")
    ran = cli("run", "words.yaml", "--params-file", "params.yaml", "-p", "words=cap", "-p", "words=hat", "--json")
    assert {file["key"] for file in ran.json["files"]} == {"cap", "hat"}


def test_only_runs_a_step_with_what_it_needs(cli, spec, emulator):
    ran = cli("run", "words.yaml", "--only", "draw@two", "--json")
    assert [file["path"] for file in ran.json["files"]] == ["out/two.jpg"]
    assert len(emulator.predictions()) == 1


def test_a_wrong_spec_exits_2_with_its_problems_in_the_json(cli, project):
    Path("wrong.yaml").write_text(SPEC.replace("workflow: upscale", "workflw: upscale"))
    ran = cli("run", "wrong.yaml", "--json")
    assert ran.code == 2
    assert ran.json["run_id"] is None
    assert ran.json["tasks"]["total"] == 0
    assert "wrong.yaml:" in ran.json["errors"][0]["message"]
    assert "^" in ran.err


@pytest.mark.parametrize(
    "arguments", [("run", "--json"), ("run", "words.yaml", "--json", "--nope"), ("run", "none.yaml", "--json")]
)
def test_a_wrong_command_line_exits_2_with_json(cli, spec, arguments):
    ran = cli(*arguments)
    assert ran.code == 2
    assert ran.json["run_id"] is None
    assert ran.json["errors"]


def test_an_unknown_param_exits_2(cli, spec):
    ran = cli("run", "words.yaml", "-p", "word=x", "--json")
    assert ran.code == 2
    assert '"word"' in ran.json["errors"][0]["message"]
    assert 'did you mean "words"' in ran.err


def test_no_credentials_exit_3_with_json(cli, spec):
    ran = cli("run", "words.yaml", "--json")
    assert ran.code == 3
    assert ran.json["errors"][0]["type"] == "access.no-credentials"


def test_wrong_credentials_exit_3(cli, spec, emulator, monkeypatch):
    monkeypatch.setenv("SPEEDPIX_APP_SECRET", "not-the-secret")
    ran = cli("run", "words.yaml", "--json")
    assert ran.code == 3
    assert "not-the-secret" not in ran.out + ran.err
    assert ran.json["run_id"] is None
    assert ran.json["status"] == "failed"
    assert set(ran.json["tasks"].values()) == set(ran.json["predictions"].values()) == {0}
    assert ran.json["errors"][0]["message"]


def test_credentials_refused_after_something_was_made_tell_what_was_made(cli, spec, emulator):
    assert cli("run", "words.yaml", "--json", "-p", 'words=["one"]').code == 0
    emulator.add_fault(Fault.parse("submit:arrears:times=0"))
    ran = cli("run", "words.yaml", "--json", "-p", 'words=["one", "two"]')
    assert ran.code == 3
    assert ran.json["run_id"]
    assert ran.json["tasks"]["cached"] > 0
    assert ran.json["tasks"]["failed"] > 0


def test_credentials_refused_after_a_prediction_was_accepted_tell_of_it(cli, spec, emulator):
    emulator.add_fault(Fault.parse("poll:unauthorized:times=0"))
    ran = cli("run", "words.yaml", "--json", "-p", 'words=["one"]')
    assert ran.code == 3
    assert ran.json["run_id"]
    assert ran.json["predictions"]["submitted"] == 1


def test_credentials_may_stand_in_a_dotenv_file_beside_the_spec(cli, spec, emulator, monkeypatch):
    for name in ("SPEEDPIX_APP_KEY", "SPEEDPIX_APP_SECRET", "SPEEDPIX_ENDPOINT"):
        monkeypatch.delenv(name)
    Path(".env").write_text(f"SPEEDPIX_APP_KEY=local\nSPEEDPIX_APP_SECRET=local\nSPEEDPIX_ENDPOINT={emulator.url}\n")
    assert cli("run", "words.yaml").code == 0


def test_failed_tasks_exit_1_and_are_told(cli, spec, emulator):
    emulator.add_fault(Fault("task-failed", "poll", match="", times=1))
    ran = cli("run", "words.yaml", "--json")
    assert ran.code == 1
    assert ran.json["status"] == "failed"
    assert ran.json["tasks"]["failed"] == 1
    assert ran.json["tasks"]["skipped"] == 1
    assert [error["type"] for error in ran.json["errors"]] == ["task"]


def test_local_needs_no_account(cli, spec):
    ran = cli("run", "words.yaml", "--local", "--json")
    assert ran.code == 0
    assert ran.json["tasks"]["succeeded"] == 6


def test_log_format_json_makes_every_line_of_stderr_an_object(cli, spec):
    ran = cli("run", "words.yaml", "--local", "--log-format", "json", "--json")
    events = [json.loads(line)["event"] for line in ran.err.splitlines()]
    assert events[0] == "RunStarted"
    assert events[-1] == "RunFinished"


@pytest.mark.parametrize(
    ("limit", "code"), [("max_predictions: 2", 2), ("max_predictions: 3", 0), ("max_cost: 0.2", 2)]
)
def test_a_limit_that_is_known_to_be_passed_refuses_the_run(cli, project, emulator, limit, code):
    Path("words.yaml").write_text(
        one_step(f"limits: {{{limit}}}", "workflows:", "  text-to-image: {id: text-to-image, price: 0.1}")
    )
    ran = cli("run", "words.yaml", "--json", "--yes")
    assert ran.code == code
    assert len(emulator.predictions()) == (0 if code else 3)


def test_what_is_cached_does_not_count_towards_a_limit(cli, project, emulator):
    Path("words.yaml").write_text(one_step())
    assert cli("run", "words.yaml").code == 0
    Path("words.yaml").write_text(one_step("limits: {max_predictions: 1}"))
    assert cli("run", "words.yaml", "-p", 'words=["one", "two", "three", "four"]').code == 0


@pytest.mark.parametrize(("answer", "code", "paid"), [("n\n", 130, 0), ("\n", 130, 0), ("y\n", 0, 3)])
def test_on_a_terminal_a_priced_run_asks_first(cli, project, emulator, monkeypatch, answer, code, paid):
    Path("words.yaml").write_text(one_step("workflows:", "  text-to-image: {id: text-to-image, price: 0.5}"))
    at_a_terminal(monkeypatch, answer)
    ran = cli("run", "words.yaml", "--json")
    assert ran.code == code
    assert "3 predictions, at most 1.50 in all. Go on?" in ran.err
    assert len(emulator.predictions()) == paid
    if code:
        assert ran.json["run_id"] is None


def test_yes_answers_the_question_and_a_free_run_asks_nothing(cli, project, emulator, monkeypatch):
    Path("words.yaml").write_text(one_step("workflows:", "  text-to-image: {id: text-to-image, price: 0.5}"))
    at_a_terminal(monkeypatch, "")
    assert "Go on?" not in cli("run", "words.yaml", "--yes").err
    assert "Go on?" not in cli("run", "words.yaml").err  # all cached now


def at_a_terminal(monkeypatch, answer: str) -> None:
    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(
        "speedpix_pipe.cli.running.terminal", lambda: Terminal(live=True, color=False, width=80, wrap=80, language="en")
    )
    monkeypatch.setattr(sys, "stdin", Typed(answer))


# --- being stopped: a process of its own ---


def start(*arguments: str, latency: float = 0.0, url: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    if url:
        environment |= {"SPEEDPIX_ENDPOINT": url, "SPEEDPIX_APP_KEY": "local", "SPEEDPIX_APP_SECRET": "local"}
    return subprocess.Popen(
        [sys.executable, "-m", "speedpix_pipe", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def until(true, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def asleep(process: subprocess.Popen[str]) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_anything_was_begun_exits_130_with_json(cli, project, number):
    Path("words.yaml").write_text(one_step())
    os.mkfifo("params.yaml")
    process = start("run", "words.yaml", "--params-file", "params.yaml", "--local", "--json")

    held: list[int] = []

    def reading() -> bool:
        with contextlib.suppress(OSError):  # nobody reads yet
            held.append(os.open("params.yaml", os.O_WRONLY | os.O_NONBLOCK))
        return bool(held)

    until(reading)
    time.sleep(0.3)
    until(lambda: asleep(process))  # in its read: between Python's last look for signals and that, one is lost
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(held[0])
    assert process.returncode == 130
    assert json.loads(out)["status"] == "cancelled"
    assert json.loads(out)["run_id"] is None
    assert "Traceback" not in err


def test_a_hangup_that_is_ignored_does_not_end_a_run(cli, project):
    Path("words.yaml").write_text(one_step())
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` leaves it to what it starts
    try:
        with EmulatorThread(EmulatorOptions(latency=1.0)) as slow:
            process = start("run", "words.yaml", "--json", url=slow.url)
            until(lambda: len(slow.predictions()) == 3)
            process.send_signal(signal.SIGHUP)
            out, _ = process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert process.returncode == 0
    assert json.loads(out)["status"] == "succeeded"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_exits_130_and_the_run_goes_on_with_what_was_paid(cli, project, monkeypatch, number):
    Path("words.yaml").write_text(one_step())
    with EmulatorThread(EmulatorOptions(latency=2.0)) as slow:
        process = start("run", "words.yaml", "--json", "--grace", "0.2s", url=slow.url)
        until(lambda: len(slow.predictions()) == 3)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        summary = json.loads(out.splitlines()[-1])
        assert summary["status"] == "cancelled"
        assert summary["resumable"] is True
        assert summary["tasks"]["cancelled"] == 3
        assert "--resume" in err
        assert "Traceback" not in err
        monkeypatch.setenv("SPEEDPIX_ENDPOINT", slow.url)
        monkeypatch.setenv("SPEEDPIX_APP_KEY", "local")
        monkeypatch.setenv("SPEEDPIX_APP_SECRET", "local")
        resumed = cli("run", "words.yaml", "--resume", "--json")
        assert resumed.code == 0
        assert resumed.json["run_id"] == summary["run_id"]
        assert resumed.json["tasks"]["succeeded"] == 3
        assert resumed.json["predictions"] == {"submitted": 3, "resumed": 3, "unknown": 0}
        assert len(slow.predictions()) == 3


def test_two_runs_of_one_spec_at_once_are_refused_with_the_name_of_the_other(cli, project, monkeypatch):
    Path("words.yaml").write_text(one_step())
    with EmulatorThread(EmulatorOptions(latency=30.0)) as slow:
        process = start("run", "words.yaml", "--grace", "0.1s", url=slow.url)
        try:
            until(lambda: len(slow.predictions()) == 3)
            ran = cli("run", "words.yaml", "--local", "--json")
            assert ran.code == 2
            assert str(process.pid) in ran.err
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        assert process.returncode == 130
