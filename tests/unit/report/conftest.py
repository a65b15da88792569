"""A small run with real pictures, hostile names included."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from speedpix_pipe.model import KeptFile, TaskStatus
from speedpix_pipe.report.base import InputFile, ResultFile, RunView, TaskView
from speedpix_pipe.report.gallery import build_report

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)> & \"q\" 'a'"


@dataclass
class Studio:
    """Makes pictures, keeps them as blobs, and builds the report of what it made."""

    folder: Path
    tasks: list[TaskView] = field(default_factory=list)

    @property
    def blobs(self) -> Path:
        return self.folder / ".speedpix" / "blobs"

    def picture(self, color, size=(60, 40), kind="PNG", **options) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", size, color).save(buffer, kind, **options)
        return buffer.getvalue()

    def keep(self, content: bytes, extension="png", media_type="image/png", name="") -> KeptFile:
        self.blobs.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return KeptFile("images.url", digest, len(content), media_type, extension, name=name)

    def given(self, path: str, content: bytes) -> InputFile:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return InputFile("image", path, hashlib.sha256(content).hexdigest())

    def task(self, step, key, status=TaskStatus.SUCCEEDED, **fields) -> TaskView:
        number = len(self.tasks)
        begin = START + timedelta(seconds=number)
        fields = {"seconds": 2.0, "started_at": begin, "finished_at": begin + timedelta(seconds=2)} | fields
        view = TaskView(step, key, status, order=fields.pop("order", (number,)), **fields)
        self.tasks.append(view)
        return view

    def product(self, name: str, color, *, looks=("studio", "beach")) -> None:
        source = self.given(f"inbox/{name}", self.picture(color))
        white = self.keep(self.picture("white", (61, 40)) + name.encode())
        key = f"inbox/{name}"
        saved = self.folder / "out" / name
        saved.parent.mkdir(exist_ok=True)
        saved.write_bytes((self.blobs / white.sha256).read_bytes())
        self.task(
            "white",
            key,
            input={"image": key, "text": "sale"},
            input_files=(source,),
            files=(ResultFile(white, saved),),
            price=0.12,
        )
        for look in looks:
            made = self.keep(self.picture(color, (62, 40)) + (name + look).encode())
            self.task(
                "looks",
                f"{key},look={look}",
                matrix={"look": look},
                files=(ResultFile(made),),
                input={"prompt": f"{look} light"},
            )

    def run(self, **fields) -> RunView:
        shown = {"spec_path": "shots.yaml", "steps": ("white", "looks", "sheet"), "started_at": START, "seconds": 12.5}
        return RunView("01JABC", "product-shots", "failed", self.folder, **(shown | fields))

    def build(self, target: Path | None = None, *, run: RunView | None = None, **options) -> Path:
        target = target or self.folder / ".speedpix" / "reports" / "01JABC.html"
        return build_report(
            run or self.run(), self.tasks, target, open_blob=lambda digest: self.blobs / digest, **options
        )


def page_data(page: Path) -> dict:
    text = page.read_text("utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def page_thumbnails(page: Path) -> dict[int, list]:
    blocks = re.findall(r'class="thumbs" data-last="\d+">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    return {int(number): made for block in blocks for number, made in json.loads(block).items()}


@pytest.fixture
def studio(tmp_path):
    return Studio(tmp_path)


@pytest.fixture
def read_page():
    return page_data


@pytest.fixture
def read_thumbnails():
    return page_thumbnails


@pytest.fixture
def hostile():
    return HOSTILE
