"""Every fault at every call has its end: the matrix, and the bad days that need more than one task to show."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from speedpix_pipe.emulator.faults import FaultKind, Where
from speedpix_pipe.events import TaskStarted
from speedpix_pipe.store import digests
from tests.crash.scene import environment_for
from tests.functional import fault_matrix
from tests.functional.faulty import Scene, emulator, hurried

DOCS = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
PAIRS = [(cell.where, cell.kind) for cell in fault_matrix.cells() if not cell.always]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service():
    with hurried(), emulator() as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("where", "kind"), PAIRS, ids=str)
def test_a_fault_at_a_call_comes_to_its_end(service, tmp_path: Path, where: Where, kind: FaultKind) -> None:
    wanted = fault_matrix.expected()
    with hurried(swallowed=where if kind is FaultKind.SWALLOW else None):
        for cell in (fault_matrix.Cell(where, kind, always) for always in (False, True)):
            scene = Scene(tmp_path / cell.name.replace(" ", "-"), service)
            assert (cell.name, fault_matrix.observed(scene, cell)) == (cell.name, wanted[cell.name])


def test_the_matrix_is_whole() -> None:
    assert set(fault_matrix.expected()) == {cell.name for cell in fault_matrix.cells()}


def test_nothing_is_paid_for_again_that_had_not_failed() -> None:
    for name, outcome in fault_matrix.expected().items():
        first, after = outcome.split(" -> ")
        if after.endswith("2 paid"):
            assert first.startswith("failed (task)"), name


def test_the_page_in_the_docs_is_this_matrix(golden) -> None:
    golden(DOCS, fault_matrix.document(fault_matrix.expected()))


# --- files that change, clocks that jump ---


class Changing(Scene):
    """A file gets other bytes after its task was fingerprinted, so many times."""

    def __init__(self, folder: Path, service, times: int) -> None:
        super().__init__(folder, service)
        self.left = times

    def __call__(self, event: object) -> None:
        super().__call__(event)
        if isinstance(event, TaskStarted) and self.left:
            self.left -= 1
            with (self.folder / "in.png").open("ab") as file:
                file.write(b"more")


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        (1, "succeeded, exit 0, 1 paid, repeated"),
        (2, "succeeded, exit 0, 1 paid, repeated"),
        (3, "failed (input), exit 1, 0 paid, repeated"),
    ],
)
def test_a_file_that_changes_while_it_is_uploaded_starts_its_task_over(
    service, tmp_path: Path, times: int, wanted: str
) -> None:
    scene = Changing(tmp_path / "scene", service, times)
    assert str(scene.run("upload")) == wanted
    if "failed" in wanted:
        assert scene.failure.code == "task.file-changing"
        assert "keeps changing" in scene.failure.message


PIXELS = """\
apiVersion: speedpix-pipe/v1
name: faults
steps:
  step:
    image: [{resize: {width: 4}}, {composite: {over: logo.png, scale: 0.5}}]
    input: {image: "${{ file('in.png') }}"}
    save: out/result.png
"""


class Painting(Scene):
    """Its pictures are of one colour, as old as they are said to be, and painted over once their task has begun."""

    def __init__(self, folder: Path, service, *, age: float) -> None:
        super().__init__(folder, service, PIXELS)
        self.age = age
        self.later: list[tuple[str, str]] = []
        self.paint("in.png", "red")
        self.paint("logo.png", "red")

    def paint(self, name: str, colour: str) -> None:
        """No colour: as far as a writer has come."""
        path = self.folder / name
        Image.new("RGB", (8, 8), colour or "red").save(path)
        if not colour:
            os.truncate(path, 50)
        os.utime(path, (time.time() - self.age,) * 2)

    def __call__(self, event: object) -> None:
        super().__call__(event)
        if isinstance(event, TaskStarted) and self.later:
            self.paint(*self.later.pop(0))

    def colours(self) -> tuple[tuple[int, ...], ...]:
        """The colours in the corners of what was saved: of the picture, and of the logo in its middle."""
        with Image.open(self.folder / "out" / "result.png") as image:
            return image.getpixel((0, 0)), image.getpixel((2, 2))


RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("age", [0, 3600])
@pytest.mark.parametrize(("name", "wanted"), [("in.png", (BLUE, RED)), ("logo.png", (RED, BLUE))])
def test_a_picture_that_changes_before_it_is_worked_on_is_kept_as_what_it_is(
    service, tmp_path: Path, name: str, wanted, age: float
) -> None:
    scene = Painting(tmp_path / "scene", service, age=age)
    scene.later = [(name, "blue")]
    assert scene.run().status == "succeeded"
    assert scene.colours() == wanted
    scene.paint(name, "red")
    (scene.folder / "out" / "result.png").unlink()
    assert scene.run().status == "succeeded"
    assert scene.colours() == (RED, RED)


def test_a_picture_that_changes_each_time_it_is_worked_on_fails_its_task(service, tmp_path: Path) -> None:
    scene = Painting(tmp_path / "scene", service, age=0)
    scene.later = [("in.png", colour) for colour in ("blue", "lime", "red")]
    assert scene.run().status == "failed"
    assert scene.failure is not None
    assert (scene.failure.code, scene.failure.message) == ("task.file-changing", "in.png keeps changing")


def test_a_picture_that_somebody_is_writing_is_worked_on_when_it_is_whole(service, tmp_path: Path) -> None:
    scene = Painting(tmp_path / "scene", service, age=3600)
    scene.later = [("in.png", ""), ("in.png", "blue")]
    assert scene.run().status == "succeeded"
    assert scene.colours() == (BLUE, RED)


@pytest.mark.parametrize(("age", "reads"), [(0, 2), (3600, 1)])
def test_only_a_young_file_is_read_twice_for_its_digest(
    service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, reads: int
) -> None:
    real, read = digests.study_file, list[str]()

    def noted(path: Path):
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(digests, "study_file", noted)
    scene = Painting(tmp_path / "scene", service, age=age)
    assert scene.run().status == "succeeded"
    assert sorted(read) == ["in.png"] * reads + ["logo.png"] * reads


def test_a_clock_that_jumps_hurries_and_delays_nothing(
    service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.functional import faulty

    scene = Scene(tmp_path / "scene", service)
    looks = itertools.count()
    real = faulty.HurriedClock.now

    def jumping(clock):
        return real(clock) + timedelta(hours=5 * (-1) ** next(looks))

    monkeypatch.setattr(faulty.HurriedClock, "now", jumping)
    assert str(scene.run()) == "succeeded, exit 0, 1 paid"


# --- disks ---


def in_a_mount(scene: Scene, target: Path, options: str, before: str = "true") -> dict:
    """A run in a namespace of its own where a small file system lies over a folder; what it came to."""
    target.mkdir(parents=True, exist_ok=True)
    child = Path(__file__).parents[1] / "crash" / "child.py"
    script = f"mount -t tmpfs -o {options} tmpfs '{target}' && {before} && exec '{sys.executable}' '{child}' run"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("no namespaces of our own here, and root ignores permissions")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        cwd=scene.folder,
        env=environment_for(scene.emulator.url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "mount:" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.splitlines()[0]}")
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("options", "before", "why"),
    [
        ("size=64k", "dd if=/dev/zero of=out/full bs=1k count=64 2>/dev/null", "the disk is full"),
        ("size=64k,ro", "true", "its file system is read-only"),
    ],
    ids=["full", "read-only"],
)
def test_an_output_folder_that_cannot_be_written_costs_nothing_twice(
    service, tmp_path: Path, options: str, before: str, why: str
) -> None:
    scene = Scene(tmp_path / "scene", service)
    summary = in_a_mount(scene, scene.folder / "out", options, before)
    assert summary["exit"] == 1
    [error] = summary["errors"]
    assert error["type"] == "output"
    assert why in error["message"]
    assert scene.made == 1
    after = scene.run()
    assert (after.status, after.made) == ("cached", 1)
    assert [path.stem for path in (scene.folder / "out").iterdir()] == ["result"]


def test_on_a_disk_that_is_nearly_full_nothing_is_submitted(service, tmp_path: Path) -> None:
    scene = Scene(tmp_path / "scene", service)
    summary = in_a_mount(scene, scene.folder / ".speedpix", "size=32m")
    assert summary["exit"] == 1
    assert summary["resumable"]
    assert "disk is nearly full" in summary["errors"][0]["message"]
    assert summary["tasks"]["cancelled"] == 1
    assert scene.made == 0
