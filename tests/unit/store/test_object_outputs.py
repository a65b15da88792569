"""Publication of objects where the put is done by others, perhaps twice."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.files import ObjectUrl
from speedpix_pipe.files.storage import StorageError, standing_in
from speedpix_pipe.files.storage.folder import stand_in_path
from speedpix_pipe.store import Published, PublishedKind, Store
from speedpix_pipe.store.object_outputs import put_from_here

URL = ObjectUrl("s3://shop/out/a.png")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with standing_in(tmp_path / "objects"):
        yield tmp_path / "objects"


def publish(state: Path, content: bytes, put: Any) -> Published:
    sha256 = hashlib.sha256(content).hexdigest()
    with Store.open(state) as store:
        store.outputs.objects.put = put
        part = store.blobs.work_folder("run") / "part"
        part.write_bytes(content)

        async def both() -> Published:
            blob = await store.blobs.adopt(part, sha256, len(content))
            return await store.outputs.publish(blob, URL, sha256=sha256, run_id="run", size=len(content))

        published = asyncio.run(both())
        assert store.outputs.recorded(URL) == sha256
        return published


def test_a_put_that_was_done_twice_is_one_object_and_no_copy(root, tmp_path):
    puts = []

    async def twice(source, url, **more):
        """A worker that put it and was lost before it could say so; another one does the job again."""
        puts.append(url)
        await put_from_here(source, url, **more)
        return await put_from_here(source, url, **more)

    assert publish(tmp_path / "state", b"one", twice).kind is PublishedKind.SAME
    assert stand_in_path(root, URL).read_bytes() == b"one"
    assert [path.name for path in (root / "s3/shop/out").iterdir()] == ["a.png"]
    assert len(puts) == 1


def test_somebody_who_never_stops_writing_ends_the_task_and_nothing_is_overwritten(root, tmp_path):
    written = []

    async def always_late(source, url, **more):
        written.append(f"theirs {len(written)}")
        path = stand_in_path(root, url)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written[-1])
        return await put_from_here(source, url, **more)

    with pytest.raises(TaskError, match="another program keeps writing there") as caught:
        publish(tmp_path / "state", b"one", always_late)
    assert caught.value.kind is TaskErrorKind.OUTPUT
    kept = {path.read_text() for path in (root / "s3/shop/out").iterdir()}
    assert kept == set(written)


def test_a_refusal_says_where_and_that_the_result_is_kept(root, tmp_path):
    async def refused(source, url, **more):
        raise StorageError(url.text, "the storage refused: Access Denied", "check the rights")

    with pytest.raises(
        TaskError, match=r"cannot save s3://shop/out/a\.png: the storage refused: Access Denied"
    ) as caught:
        publish(tmp_path / "state", b"one", refused)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("check the rights; the result is kept")
