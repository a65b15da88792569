"""Every fault at every call has its end: the matrix, and the bad days that need more than one task to show."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from speedpix_pipe.emulator.faults import FaultKind, Where
from speedpix_pipe.events import TaskStarted
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
