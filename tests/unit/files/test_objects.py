"""Facts about objects: asked for once, never on a thread that runs an event loop, and not without end in a plan."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from speedpix_pipe.errors import AccessError, ExpressionError
from speedpix_pipe.files import FolderFiles, ObjectUrl
from speedpix_pipe.files.objects import FAILED_FOR_SECONDS, LookFirstError, Objects, measure_some, seen
from speedpix_pipe.files.storage import StorageError, standing_in
from speedpix_pipe.files.storage.folder import FolderStorage, stand_in_path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "objects"
    with standing_in(root):
        for name in ("a", "b", "c"):
            path = stand_in_path(root, ObjectUrl(f"s3://shop/in/{name}.txt"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name * 10)
        yield root


class Counting:
    """Counts the requests of each kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: dict[str, int] = {}
        for name in ("look", "list", "read"):
            self._count(monkeypatch, name, getattr(FolderStorage, name))

    def _count(self, monkeypatch: pytest.MonkeyPatch, name, real) -> None:
        def counted(storage, *args, **kwargs):
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()  # nobody waits for a store on a loop's thread
            self.counts[name] = self.counts.get(name, 0) + 1
            return real(storage, *args, **kwargs)

        monkeypatch.setattr(FolderStorage, name, counted)


@pytest.fixture
def requests(store: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def test_on_a_loop_a_question_is_put_off_and_then_answered(requests, tmp_path):
    files = FolderFiles(tmp_path)

    async def ask() -> tuple[list[str], list[int], str, list[dict]]:
        with pytest.raises(LookFirstError):
            files.glob("s3://shop/in/*.txt")
        found = await seen(lambda: files.glob("s3://shop/in/*.txt"))
        digest = await seen(lambda: files.file("s3://shop/in/a.txt").sha256)
        return (
            [one.path for one in found],
            [one.size for one in found],
            digest,
            await seen(lambda: files.read("s3://shop/in/b.txt")),
        )

    paths, sizes, digest, text = asyncio.run(ask())
    assert paths == ["s3://shop/in/a.txt", "s3://shop/in/b.txt", "s3://shop/in/c.txt"]
    assert sizes == [10, 10, 10]
    assert digest == hashlib.sha256(b"a" * 10).hexdigest()
    assert text == "b" * 10


def test_facts_that_a_listing_gave_are_not_asked_for_again(requests, tmp_path):
    files = FolderFiles(tmp_path)
    for _ in range(3):
        found = files.glob("s3://shop/in/*.txt")
        assert (found[0].size, found[0].mtime > 0, found[0].name) == (10, True, "a.txt")
        assert files.file("s3://shop/in/a.txt").size == 10
    assert requests.counts == {"list": 1}


def test_a_digest_that_is_known_is_known_without_a_request(requests, tmp_path):
    class Remembered:
        def recall(self, place: bytes, state: bytes) -> str | None:
            return "d" * 64 if place.endswith(b"a.txt") else None

        def remember(self, place: bytes, state: bytes, sha256: str) -> None: ...

    files = FolderFiles(tmp_path, objects=Objects(Remembered()))
    first, second, _ = files.glob("s3://shop/in/*.txt")
    assert (first.known, second.known) == (True, False)
    assert first.sha256 == "d" * 64
    first.forget()
    assert not first.known  # it may have changed: looked at before it is believed again
    assert requests.counts == {"list": 1}
    assert first.sha256 == "d" * 64
    assert requests.counts == {"list": 1, "look": 1}


def test_a_plan_reads_so_much_and_no_more(requests, tmp_path):
    objects = Objects(most_read=2 * 64 * 1024)
    files = FolderFiles(tmp_path, objects=objects)
    found = files.glob("s3://shop/in/*.txt")
    measure_some([found])
    digests = {one.path: one.sha256 for one in found}
    real = [path for path, digest in digests.items() if digest == hashlib.sha256(path[-5].encode() * 10).hexdigest()]
    assert len(real) == 2
    assert len(set(digests.values())) == 3
    assert requests.counts["read"] == 2
    (unread,) = [one for one in found if one.path not in real]
    assert unread.media_type == "application/octet-stream"
    assert requests.counts["read"] == 2


def test_what_a_store_refuses_is_the_runs_trouble_until_it_has_begun_and_then_a_tasks(store, tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise StorageError("s3://shop/in/", "the storage did not answer", "look at the network")

    objects = Objects()
    files = FolderFiles(tmp_path, objects=objects)
    monkeypatch.setattr(FolderStorage, "list", refuse)
    with pytest.raises(AccessError, match="s3://shop/in/: the storage did not answer") as caught:
        files.glob("s3://shop/in/*.txt")
    assert caught.value.hint == "look at the network"
    objects.begun = True
    with pytest.raises(ExpressionError) as later:
        files.glob("s3://shop/in/*.txt")
    assert later.value.code == "files.storage"
    monkeypatch.undo()
    time.sleep(FAILED_FOR_SECONDS)
    assert len(files.glob("s3://shop/in/*.txt")) == 3  # not remembered: it may go well the next time


def test_a_request_that_fails_fails_once_for_all_who_wait_for_it(store, tmp_path, monkeypatch):
    asked = []

    def refuse(*_args, **_kwargs):
        asked.append(1)
        raise StorageError("s3://shop/in/", "the storage did not answer")

    objects = Objects()
    objects.begun = True
    files = FolderFiles(tmp_path, objects=objects)
    monkeypatch.setattr(FolderStorage, "list", refuse)

    async def all_at_once() -> list[object]:
        one = lambda: seen(lambda: files.glob("s3://shop/in/*.txt"))  # noqa: E731
        return await asyncio.gather(*(one() for _ in range(40)), return_exceptions=True)

    assert {type(error) for error in asyncio.run(all_at_once())} == {ExpressionError}
    assert len(asked) == 1


def test_a_fact_that_several_want_at_once_is_asked_for_once(requests, tmp_path, monkeypatch):
    go = threading.Event()
    files = FolderFiles(tmp_path)
    counted = FolderStorage.list

    def slow(storage, *args, **kwargs):
        found = list(counted(storage, *args, **kwargs))
        assert go.wait(30)  # all the others have asked by then, too
        return found

    monkeypatch.setattr(FolderStorage, "list", slow)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(files.glob, "s3://shop/in/*.txt") for _ in range(4)]
        while sum(one.running() for one in asked) < 4:
            time.sleep(0.001)
        go.set()
        assert [len(one.result()) for one in asked] == [3] * 4
    assert requests.counts == {"list": 1}


def test_an_object_that_stands_in_two_params_is_read_once(requests, tmp_path):
    files = FolderFiles(tmp_path)
    found = files.glob("s3://shop/in/*.txt")
    measure_some([found, files.file("s3://shop/in/a.txt"), found, found])
    assert requests.counts["read"] == 3


def test_a_digest_made_on_a_loop_is_made_again_once_the_object_may_be_another(requests, tmp_path, store):
    files = FolderFiles(tmp_path)
    file = files.file("s3://shop/in/a.txt")

    async def first() -> str:
        return await seen(lambda: file.sha256)

    assert asyncio.run(first()) == hashlib.sha256(b"a" * 10).hexdigest()
    stand_in_path(store, ObjectUrl("s3://shop/in/a.txt")).write_text("changed")
    file.forget()
    assert file.sha256 == hashlib.sha256(b"changed").hexdigest()
