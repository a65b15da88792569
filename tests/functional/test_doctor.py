"""`doctor` against the emulator: each thing that may be wrong is named, and what to do."""

from __future__ import annotations

import json
import time

import pytest

from speedpix_pipe.app.doctor import examine
from speedpix_pipe.app.surroundings import Verdict, limits
from speedpix_pipe.cli import main
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread, Fault
from speedpix_pipe.settings import load_settings


@pytest.fixture(scope="module")
def emulator():
    with EmulatorThread(EmulatorOptions(app_key="key-1", app_secret="secret-1")) as running:
        yield running


@pytest.fixture
def look(emulator, tmp_path):
    def findings(now=time.time, **environment):
        known = {
            "SPEEDPIX_APP_KEY": "key-1",
            "SPEEDPIX_APP_SECRET": "secret-1",
            "SPEEDPIX_ENDPOINT": emulator.url,
        }
        given = {name: value for name, value in (known | environment).items() if value}
        return {finding.check: finding for finding in examine(load_settings(tmp_path, given), tmp_path, now=now)}

    return findings


def test_with_everything_right_all_is_ok_and_nothing_was_submitted(look, emulator):
    found = look()
    wrong = {check: finding for check, finding in found.items() if finding.verdict is Verdict.BAD}
    assert wrong == {}
    assert found["credentials"].verdict is found["clock"].verdict is found["endpoint"].verdict is Verdict.OK
    assert emulator.counters["predictions"] == 0


def test_a_wrong_secret_is_told_from_a_wrong_key(look):
    secret = look(SPEEDPIX_APP_SECRET="secret-2")["credentials"]
    assert secret.verdict is Verdict.BAD
    assert "SPEEDPIX_APP_SECRET" in secret.remedy
    assert "StringToSign" not in secret.message
    key = look(SPEEDPIX_APP_KEY="key-2")["credentials"]
    assert key.verdict is Verdict.BAD
    assert "SPEEDPIX_APP_KEY" in key.remedy


def test_missing_credentials_are_named(look):
    found = look(SPEEDPIX_APP_SECRET="")["credentials"]
    assert found.verdict is Verdict.BAD
    assert found.message == "SPEEDPIX_APP_SECRET not set"
    assert "--local needs no account" in found.remedy


def test_an_endpoint_where_nobody_listens_is_bad_and_credentials_are_not_tried(look):
    found = look(SPEEDPIX_ENDPOINT="http://127.0.0.1:9")
    assert found["endpoint"].verdict is Verdict.BAD
    assert "clock" not in found
    assert found["credentials"].verdict is Verdict.WARN


@pytest.mark.parametrize("endpoint", ["ftp://example.com", "http://[::1"])
def test_an_endpoint_that_is_no_address_is_bad(look, endpoint):
    assert look(SPEEDPIX_ENDPOINT=endpoint)["endpoint"].verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("seconds", "verdict", "word"),
    [(-1200, Verdict.BAD, "behind"), (1200, Verdict.BAD, "ahead"), (-120, Verdict.WARN, "behind")],
)
def test_a_clock_that_is_off_is_told(look, seconds, verdict, word):
    found = look(now=lambda: time.time() + seconds)
    assert found["clock"].verdict is verdict
    assert word in found["clock"].message
    assert found["credentials"].verdict is Verdict.OK  # the client corrects what it learns


def test_a_service_that_is_busy_is_a_warning(look, emulator):
    emulator.add_fault(Fault.parse("poll:throttle-429:times=1"))
    found = look()["credentials"]
    emulator.clear_faults()
    assert found.verdict is Verdict.WARN


def test_a_proxy_is_shown_without_its_password(look):
    found = look(HTTPS_PROXY="http://ann:pa55@proxy.example:3128")["proxies"]
    assert found.message == "HTTPS_PROXY=http://***@proxy.example:3128"


def test_a_state_folder_that_cannot_be_made_is_bad(look, tmp_path):
    (tmp_path / "file").write_text("")
    found = look(SPEEDPIX_STATE_DIR=str(tmp_path / "file" / "state"))["state"]
    assert found.verdict is Verdict.BAD
    assert "SPEEDPIX_STATE_DIR" in found.remedy


def test_the_command_exits_3_with_a_list(emulator, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEEDPIX_ENDPOINT", emulator.url)
    assert main(["doctor", "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert {check["verdict"] for check in said["checks"]} <= {"ok", "warn", "bad"}
    (tmp_path / ".env").write_text("SPEEDPIX_APP_KEY=key-1\nSPEEDPIX_APP_SECRET=secret-1\n")
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "ok    credentials  accepted by the service" in shown
    assert "secret-1" not in shown


def test_few_inotify_watches_are_a_warning_with_the_command(monkeypatch, tmp_path):
    for name, value in (("max_user_watches", "100"), ("max_user_instances", "128")):
        (tmp_path / name).write_text(value)
    monkeypatch.setattr("speedpix_pipe.app.surroundings.INOTIFY", tmp_path)
    inotify = next(iter(limits()))
    assert inotify.verdict is Verdict.WARN
    assert "sysctl" in inotify.remedy
