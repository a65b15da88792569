"""A run on a Dask cluster whose parts are killed: nothing is lost, and the emulator counts nothing paid twice."""

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tests.cluster import cluster
from tests.crash.scene import emulator, environment_for

PHOTOS = 12
SPEC = """\
apiVersion: speedpix-pipe/v1
name: on-a-cluster
params:
  photos: {type: files, default: "in/*.png"}
limits: {concurrency: 6}
steps:
  stamp:
    workflow: stamp
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", name: "${{ item.stem }}"}
    save: out/stamp/${{ item.stem }}.png
  small:
    image: [{resize: {width: 6}}]
    for_each: ${{ steps.stamp }}
    input: {image: "${{ steps.stamp.file }}"}
    save: out/small/${{ item.stem }}.png
  frame:
    workflow: frame
    for_each: ${{ steps.small }}
    input: {image: "${{ steps.small.file }}", name: "${{ item.stem }}"}
    save: out/frame/${{ item.stem }}.png
"""
pytestmark = [pytest.mark.dask, pytest.mark.slow, pytest.mark.timeout(110)]


@pytest.fixture(scope="module")
def url():
    with emulator(latency=0.3) as running:
        yield running


class Studio:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        (folder / "in").mkdir(parents=True)
        for number in range(PHOTOS):
            Image.new("RGB", (12, 12), (number * 15, 40, 200 - number * 10)).save(folder / f"in/p{number:02}.png")
        (folder / "pipeline.yaml").write_text(SPEC)
        self._call("POST", "reset")

    def _call(self, method, what):
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_emulator/{what}", method=method)) as answer:
            return json.loads(answer.read() or b"null")

    def paid(self) -> Counter:
        return Counter((one["workflow"], one["inputs"]["name"]) for one in self._call("GET", "predictions"))

    def start(self, address: str, *more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "speedpix_pipe", "run", "pipeline.yaml", "--json", "--log-format", "json"]
        with (self.folder / "err.log").open("w") as log:
            return subprocess.Popen(
                [*command, "--executor", "dask", "--scheduler", address, *more],
                cwd=self.folder,
                env=environment_for(self.url),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def until(self, count: int, run: subprocess.Popen) -> None:
        """Wait until so many predictions are paid for, and the run is in the thick of it."""
        end = time.monotonic() + 60
        while sum(self.paid().values()) < count:
            assert run.poll() is None, self.words()
            assert time.monotonic() < end, self.words()
            time.sleep(0.02)

    def end(self, run: subprocess.Popen) -> tuple[int, dict]:
        out, _ = run.communicate(timeout=80)
        return run.returncode, json.loads(out.splitlines()[-1])

    def words(self) -> str:
        return (self.folder / "err.log").read_text()[-3000:]

    def check_all_is_there(self) -> None:
        assert set(self.paid().values()) == {1}, "paid twice"
        assert len(self.paid()) == 2 * PHOTOS
        for step, width in (("stamp", 12), ("small", 6), ("frame", 16)):
            files = sorted((self.folder / "out" / step).iterdir())
            assert [file.stem for file in files] == [f"p{number:02}" for number in range(PHOTOS)]
            for file in files:
                with Image.open(file) as picture:
                    picture.load()
                    assert picture.width == width


@pytest.fixture
def studio(tmp_path, url):
    return Studio(tmp_path / "studio", url)


def test_workers_that_are_killed_cost_time_only(studio, tmp_path):
    with cluster(tmp_path / "cluster", workers=3) as machines:
        run = studio.start(machines.address)
        studio.until(4, run)
        machines.kill(machines.workers[0])
        studio.until(10, run)
        machines.kill(machines.workers[0])
        machines.add_worker()
        code, summary = studio.end(run)
        logs = machines.logs()
    assert code == 0, studio.words()
    assert summary["tasks"]["succeeded"] == 3 * PHOTOS
    studio.check_all_is_there()
    assert all(f"speedpix-{work}-" in logs for work in ("fetch", "send", "pixels", "digest")), "who did the work?"
    assert "Signature" not in logs


def test_a_coordinator_that_is_killed_is_taken_up_with_resume(studio, tmp_path):
    with cluster(tmp_path / "cluster", workers=3) as machines:
        run = studio.start(machines.address)
        studio.until(9, run)
        machines.kill(run)
        run.stdout.close()
        code, summary = studio.end(studio.start(machines.address, "--resume"))
    assert set(studio.paid().values()) == {1}, "paid twice"
    if summary["predictions"]["unknown"]:  # killed between sending and hearing: listed, not repeated
        assert code == 1
        assert summary["predictions"]["unknown"] <= 6
        return
    assert code == 0, studio.words()
    assert summary["predictions"]["submitted"] == 2 * PHOTOS
    studio.check_all_is_there()


def test_a_scheduler_that_is_lost_ends_the_run_in_order_and_it_can_go_on(studio, tmp_path):
    with cluster(tmp_path / "one", workers=3) as machines:
        run = studio.start(machines.address)
        studio.until(9, run)
        machines.kill(machines.scheduler)
        code, summary = studio.end(run)
    assert code == 130, studio.words()
    assert summary["resumable"]
    assert summary["status"] == "cancelled"
    assert summary["predictions"]["unknown"] == 0
    kept = sum(len(list((studio.folder / "out" / step).glob("*"))) for step in ("stamp", "frame"))
    assert kept == sum(studio.paid().values()), "what is paid for is fetched and saved before the end"
    with cluster(tmp_path / "two", workers=3) as machines:
        code, summary = studio.end(studio.start(machines.address, "--resume"))
    assert code == 0, studio.words()
    assert summary["predictions"]["submitted"] == 2 * PHOTOS
    studio.check_all_is_there()
