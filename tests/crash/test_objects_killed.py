"""SIGKILL around the publication of objects: nothing paid twice, nothing lost, and no copy of our own work set aside."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.crash.scene import emulator, environment_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SPEC = """\
apiVersion: speedpix-pipe/v1
name: crash
params: {photos: {type: files, default: "s3://shop/in/*.jpg"}}
steps:
  up:
    workflow: upscale
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", scale: 2}
    save: s3://shop/out/${{ item.stem }}.${{ ext }}
"""
PHOTOS = ("a", "b", "c")


@pytest.fixture(scope="module")
def service():
    with emulator(0.0) as url:
        yield url


class Scene:
    def __init__(self, folder: Path, service: str, s3: Any, bucket: Any) -> None:
        self.folder, self.service, self.s3, self.bucket = folder, service, s3, bucket
        (folder / "pipeline.yaml").write_text(SPEC, encoding="utf-8")
        self._call("POST", "reset")

    def _call(self, method: str, what: str) -> Any:
        request = urllib.request.Request(f"{self.service}/_emulator/{what}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def paid(self) -> int:
        return len(self._call("GET", "predictions"))

    def run(self, *point: str) -> subprocess.CompletedProcess[str]:
        storage = {
            "AWS_ENDPOINT_URL": self.s3.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        command = [sys.executable, str(Path(__file__).with_name("child.py")), "run", *point]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment_for(self.service) | storage,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def finish(self) -> dict[str, Any]:
        ran = self.run()
        assert ran.stdout, ran.stderr
        summary: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return summary


@pytest.fixture
def scene(tmp_path: Path, service: str, s3, bucket, photo) -> Scene:
    for name in PHOTOS:
        bucket.put(f"in/{name}.jpg", photo(name))
    return Scene(tmp_path, service, s3, bucket)


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("output.put", 1),
        ("output.put", 3),
        ("output.record.committing", 1),
        ("output.record.committed", 1),  # a commit may hold the records of several
        ("blob.renamed", 2),
    ],
)
def test_a_kill_between_put_and_record_leads_to_the_same_object(scene, point, count):
    killed = scene.run(point, str(count))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    summary = scene.finish()
    assert summary["exit"] == 0
    assert summary["tasks"] == summary["tasks"] | {"total": 3, "failed": 0, "unknown": 0}
    assert scene.paid() == 3
    assert scene.bucket.keys("out/") == ["out/a.jpg", "out/b.jpg", "out/c.jpg"]
    made = {file["path"]: file["sha256"] for file in summary["files"]}
    for path, sha256 in made.items():
        assert hashlib.sha256(scene.bucket.get(path.removeprefix("s3://shop/"))).hexdigest() == sha256
    assert len(made) == 3
    again = scene.finish()
    assert again["tasks"]["cached"] == 3
    assert scene.bucket.keys("out/") == ["out/a.jpg", "out/b.jpg", "out/c.jpg"]


def test_a_kill_between_the_copy_of_foreign_bytes_and_our_put_sets_them_aside_once(scene):
    scene.bucket.put("out/a.jpg", b"somebody's own")
    killed = scene.run("output.copied-aside", "1")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert scene.bucket.get("out/a.jpg") == b"somebody's own"
    assert scene.finish()["exit"] == 0
    assert scene.bucket.keys("out/") == ["out/a.edited-1.jpg", "out/a.jpg", "out/b.jpg", "out/c.jpg"]
    assert scene.bucket.get("out/a.edited-1.jpg") == b"somebody's own"
    assert scene.paid() == 3
