"""What is promised of final files, on every kind of place that results are saved to: a disk, S3, and plain fsspec."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.files import ObjectUrl
from speedpix_pipe.files.storage import STORAGES, close_storages
from speedpix_pipe.store import Published, PublishedKind, Store

pytestmark = pytest.mark.slow
Kind = PublishedKind


@dataclass
class Place:
    state: Path
    address: Callable[[str], Path | ObjectUrl]
    put: Callable[[str, bytes], Any]
    get: Callable[[str], bytes]
    remove: Callable[[str], Any]
    names: Callable[[], list[str]]
    points: list[str] = field(default_factory=list)
    at: dict[str, Callable[[], Any]] = field(default_factory=dict)  # what happens at a durable step

    def hook(self, point: str) -> None:
        self.points.append(point)
        if point in self.at:
            self.at.pop(point)()

    def publish(
        self, content: bytes, name: str = "out/a.png", run_id: str = "run-1", *, verify: bool = False
    ) -> Published:
        (published,) = self.publish_at_once(content, name=name, run_id=run_id, verify=verify)
        return published

    def publish_at_once(
        self, *contents: bytes, name: str = "out/a.png", run_id: str = "run-1", verify: bool = False
    ) -> list[Published]:
        async def one(store: Store, content: bytes) -> Published:
            sha256 = hashlib.sha256(content).hexdigest()
            return await store.outputs.publish(
                await store.blobs.keep(content, sha256, store.blobs.work_folder(run_id)),
                self.address(name),
                sha256=sha256,
                run_id=run_id,
                size=len(content),
                media_type="image/png",
                verify=verify,
            )

        async def all_of(store: Store) -> list[Published]:
            return await asyncio.gather(*(one(store, content) for content in contents))

        with Store.open(self.state, hook=self.hook) as store:
            return asyncio.run(all_of(store))

    def forget(self) -> None:
        """As if a crash had come before the record was written."""
        import sqlite3

        with sqlite3.connect(self.state / "journal.db") as connection:
            connection.execute("DELETE FROM outputs")
            connection.execute("DELETE FROM digests")


@pytest.fixture(params=["disk", "s3", "oss", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    state = tmp_path / "state"
    if request.param == "disk":
        root = tmp_path / "shop"

        def put(name: str, data: bytes) -> None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)

        yield Place(
            state,
            lambda name: root / name,
            put,
            lambda name: (root / name).read_bytes(),
            lambda name: (root / name).unlink(),
            lambda: sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()),
        )
    elif request.param == "s3":
        bucket = request.getfixturevalue("bucket")
        yield Place(
            state,
            lambda name: ObjectUrl(f"s3://shop/{name}"),
            bucket.put,
            bucket.get,
            bucket.delete,
            lambda: sorted(bucket.keys("")),
        )
    elif request.param == "oss":
        server = request.getfixturevalue("oss")
        yield Place(
            state,
            lambda name: ObjectUrl(f"oss://shop/{name}"),
            server.put,
            server.get,
            server.delete,
            lambda: sorted(key for _, key in server.objects),
        )
    else:
        import fsspec

        monkeypatch.setitem(STORAGES, "memory", "tests.objects:memory_storage")
        close_storages()
        memory = fsspec.filesystem("memory")
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]
        yield Place(
            state,
            lambda name: ObjectUrl(f"memory://shop/{name}"),
            lambda name, data: memory.pipe(f"/shop/{name}", data),
            lambda name: memory.cat_file(f"/shop/{name}"),
            lambda name: memory.rm(f"/shop/{name}"),
            lambda: sorted(name.removeprefix("/shop/") for name in memory.store),
        )
        memory.store.clear()
        close_storages()


def test_a_new_result_appears_whole(place):
    published = place.publish(b"one")
    assert (published.kind, published.path, published.moved_aside) == (Kind.NEW, place.address("out/a.png"), None)
    assert place.names() == ["out/a.png"]
    assert place.get("out/a.png") == b"one"


def test_the_same_result_again_changes_nothing(place):
    place.publish(b"one")
    assert place.publish(b"one").kind is Kind.SAME
    assert place.names() == ["out/a.png"]


def test_equal_bytes_of_unknown_origin_are_taken_for_ours(place):
    place.put("out/a.png", b"one")
    assert place.publish(b"one").kind is Kind.SAME
    assert place.publish(b"two").kind is Kind.REPLACED
    assert place.names() == ["out/a.png"]


def test_what_a_crash_left_unrecorded_is_known_again_by_its_digest(place):
    place.publish(b"one")
    place.forget()
    assert place.publish(b"one").kind is Kind.SAME
    assert place.publish(b"two", run_id="run-2").kind is Kind.REPLACED
    assert place.names() == ["out/a.png"]


def test_a_deleted_result_is_restored(place):
    place.publish(b"one")
    place.remove("out/a.png")
    assert place.publish(b"one", verify=True).kind is Kind.RESTORED
    assert place.get("out/a.png") == b"one"


def test_a_result_that_somebody_edited_is_left_alone(place):
    place.publish(b"one")
    place.put("out/a.png", b"edited")
    assert place.publish(b"one").kind is Kind.CHANGED
    assert place.get("out/a.png") == b"edited"
    assert place.names() == ["out/a.png"]


def test_a_new_result_moves_an_edited_one_aside(place):
    place.publish(b"one")
    place.put("out/a.png", b"edited")
    published = place.publish(b"two")
    assert (published.kind, published.moved_aside) == (Kind.REPLACED, place.address("out/a.edited-1.png"))
    assert place.get("out/a.png") == b"two"
    assert place.get("out/a.edited-1.png") == b"edited"
    place.put("out/a.png", b"edited again")
    assert place.publish(b"three").moved_aside == place.address("out/a.edited-2.png")
    assert place.names() == ["out/a.edited-1.png", "out/a.edited-2.png", "out/a.png"]
    assert place.get("out/a.edited-1.png") == b"edited"


def test_foreign_bytes_are_never_overwritten(place):
    place.put("out/a.png", b"foreign")
    published = place.publish(b"one")
    assert (published.kind, published.moved_aside) == (Kind.REPLACED, place.address("out/a.edited-1.png"))
    assert place.get("out/a.edited-1.png") == b"foreign"


def test_a_new_result_replaces_an_old_one(place):
    place.publish(b"one")
    assert place.publish(b"two").kind is Kind.REPLACED
    assert place.names() == ["out/a.png"]
    assert place.get("out/a.png") == b"two"


def test_of_results_that_come_at_once_none_is_taken_for_somebody_elses(place):
    published = place.publish_at_once(b"one", b"three", b"fifteen")
    assert sorted(one.kind for one in published) == [Kind.NEW, Kind.REPLACED, Kind.REPLACED]
    assert [one.moved_aside for one in published] == [None] * 3
    assert place.names() == ["out/a.png"]


def test_an_odd_name_is_a_name(place):
    place.publish(b"one", "out/阿里云 100% #1 + [x].png")
    assert place.get("out/阿里云 100% #1 + [x].png") == b"one"
    assert place.publish(b"one", "out/阿里云 100% #1 + [x].png").kind is Kind.SAME
