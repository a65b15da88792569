"""The live page's use case: beside a run, cancel and redo for real, and what it says where its packages are missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from speedpix_pipe.app import live
from speedpix_pipe.app.live import live_page, start_redo
from speedpix_pipe.cli import main
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread
from speedpix_pipe.errors import UsageError
from speedpix_pipe.store import Store

pytestmark = pytest.mark.slow

SPEC = """\
apiVersion: speedpix-pipe/v1
name: shop
params: {names: {type: array, default: [a, b]}}
steps:
  draw:
    workflow: text-to-image
    for_each: ${{ params.names }}
    randomise_seeds: true
    input: {prompt: "${{ item }}", width: 64, height: 64}
    save: out/${{ item }}.${{ ext }}
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SPEC, "utf-8")
    return tmp_path


def runs(folder):
    with Store.open(folder / ".speedpix", write=False) as store:
        return store.journal.runs()


def test_run_with_ui_prints_a_link_before_it_begins(shop, capsys):
    assert main(["run", "shop.yaml", "--local", "--ui", "--json"]) == 0
    said = capsys.readouterr()
    assert re.match(r"live page: http://127\.0\.0\.1:\d+/\?token=[\w-]{20,}\n", said.err)
    assert json.loads(said.out.splitlines()[-1])["status"] == "succeeded"


def test_redo_from_the_page_is_a_run_of_its_own(shop, capsys):
    assert main(["run", "shop.yaml", "--local"]) == 0
    (first,) = runs(shop)
    with live_page(shop / ".speedpix") as page, httpx.Client(base_url=page.url, trust_env=False) as client:
        client.headers["x-speedpix-token"] = page.token
        answer = client.post(f"/api/runs/{first.id}/redo", json={"tasks": ["draw@a"]}, timeout=60)
        assert answer.json() == {"done": True}
        refused = client.post(f"/api/runs/{first.id}/redo", json={"tasks": ["draw@nobody"]}, timeout=60)
        assert refused.status_code == 409
        assert 'no task "draw@nobody"' in refused.json()["error"]
        ended = client.post(f"/api/runs/{first.id}/cancel", timeout=60)
        assert "has ended" in ended.json()["error"]
    newest = runs(shop)[0]
    assert newest.origin == first.id


def test_a_new_seed_from_the_page_makes_another_picture(shop):
    spec = SPEC.replace("    randomise_seeds: true\n", "").replace("height: 64}", "height: 64, seed: 7}")
    (shop / "shop.yaml").write_text(spec, "utf-8")
    assert main(["run", "shop.yaml", "--local"]) == 0
    before = (shop / "out" / "a.jpg").read_bytes()
    with live_page(shop / ".speedpix") as page, httpx.Client(base_url=page.url, trust_env=False) as client:
        client.headers["x-speedpix-token"] = page.token
        asked = {"tasks": ["draw@a"], "new_seed": True}
        assert client.post(f"/api/runs/{runs(shop)[0].id}/redo", json=asked, timeout=60).json() == {"done": True}
        wait_until_ended(shop)
    after = (shop / "out" / "a.jpg").read_bytes()
    assert after != before
    assert main(["run", "shop.yaml", "--local"]) == 0
    assert (shop / "out" / "a.jpg").read_bytes() == after


def test_what_failed_is_tried_again_from_the_page(shop):
    (shop / "shop.yaml").write_text(SPEC.replace("width: 64", "width: 1"), "utf-8")
    assert main(["run", "shop.yaml", "--local"]) == 1
    (shop / "shop.yaml").write_text(SPEC, "utf-8")
    start_redo(shop / ".speedpix", runs(shop)[0].id, [], failed=True)
    wait_until_ended(shop)
    assert runs(shop)[0].counts["succeeded"] == 2


def test_a_refusal_is_told_however_long_the_start_takes(shop, monkeypatch):
    assert main(["run", "shop.yaml", "--local"]) == 0
    monkeypatch.setattr(live, "REFUSED_WITHIN_SECONDS", 0.001)
    (first,) = runs(shop)
    with pytest.raises(UsageError, match='no task "draw@nobody"'):
        start_redo(shop / ".speedpix", first.id, ["draw@nobody"])
    start_redo(shop / ".speedpix", first.id, ["draw@a"])
    assert runs(shop)[0].origin == first.id, "who was not refused has begun"
    wait_until_ended(shop)


def wait_until_ended(shop):
    """Its process too, which holds the spec's lock for a moment longer than the run is under way."""
    newest = runs(shop)[0]
    assert newest.origin, "the redo has begun"
    while Path(f"/proc/{newest.pid}").exists():
        time.sleep(0.05)


@pytest.mark.parametrize("task", ["--failed", "draw"])
def test_what_is_no_task_is_never_passed_on(shop, task):
    with pytest.raises(UsageError, match="STEP@KEY"):
        start_redo(shop / ".speedpix", "x", [task])


def test_without_its_packages_the_page_says_how_to_get_them(shop):
    program = (
        "import sys; sys.modules['starlette'] = sys.modules['uvicorn'] = None\n"
        "from speedpix_pipe.cli import main; sys.exit(main(['run', 'shop.yaml', '--local', '--ui']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "pip install 'speedpix-pipe[ui]'" in done.stderr


def test_cancel_from_the_page_stops_a_run_that_is_under_way(shop):
    options = EmulatorOptions(latency=60)
    with EmulatorThread(options) as emulator, live_page(shop / ".speedpix") as page:
        environment = {
            **os.environ,
            "SPEEDPIX_APP_KEY": options.app_key,
            "SPEEDPIX_APP_SECRET": options.app_secret,
            "SPEEDPIX_ENDPOINT": emulator.url,
        }
        command = [sys.executable, "-m", "speedpix_pipe", "run", "shop.yaml", "--json", "--grace", "1s"]
        started = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with (
            httpx.Client(base_url=page.url, trust_env=False, timeout=60) as client,
            client.stream("GET", "/api/stream") as stream,
        ):
            lines = stream.iter_lines()
            (run,) = next(json.loads(line[6:]) for line in lines if line.startswith("data: [{"))
            answer = client.post(f"/api/runs/{run['id']}/cancel", headers={"x-speedpix-token": page.token})
            assert answer.json() == {"done": True}
        summary = json.loads(started.communicate(timeout=60)[0].splitlines()[-1])
    assert (summary["status"], summary["resumable"]) == ("cancelled", False)
