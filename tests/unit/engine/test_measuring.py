"""Digests that a task begins with: an object is read once, whoever asks for it and at whatever moment."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from speedpix_pipe.engine import measuring
from speedpix_pipe.engine.measuring import Measuring
from speedpix_pipe.files import Entry, FileValue, FolderFiles, ObjectUrl
from speedpix_pipe.files.content import study_file
from speedpix_pipe.files.objects import ObjectFile, Objects
from speedpix_pipe.files.storage import ChangedObjectError, standing_in
from speedpix_pipe.files.storage.folder import stand_in_path
from speedpix_pipe.steps.service import ChangedError

URL = "s3://shop/in/a.txt"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "objects"
    with standing_in(root):
        path = stand_in_path(root, ObjectUrl(URL))
        path.parent.mkdir(parents=True)
        path.write_text("one")
        yield path


@pytest.fixture
def file(path: Path, tmp_path: Path) -> ObjectFile:
    found = FolderFiles(tmp_path, objects=Objects()).file(URL)
    assert isinstance(found, ObjectFile)
    return found


class Reader:
    """Reads when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.read: list[Entry] = []
        self.failure: Exception | None = None

    async def __call__(self, entry: Entry) -> str:
        self.read.append(entry)
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        return hashlib.sha256(b"one").hexdigest()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that end within the turn of the loop in which they began, so that a test chooses the moment."""

    async def at_once(work):
        return work()

    monkeypatch.setattr(measuring, "in_thread", at_once)


@pytest.mark.parametrize("later", range(8))
@pytest.mark.usefixtures("prompt")
def test_who_looks_while_a_reading_ends_does_not_read_again(file, later):
    async def two() -> None:
        reader = Reader()
        measured = Measuring(reader)
        first = asyncio.create_task(measured.object(file))
        await turns(3)
        reader.go.set()
        await turns(later)
        file.forget()  # as a task does that begins now
        await measured.object(file)
        await first
        assert len(reader.read) == 1
        assert file.known

    asyncio.run(two())


@pytest.mark.usefixtures("prompt")
def test_what_is_remembered_is_not_read_because_somebody_else_wants_a_new_look(file, monkeypatch):
    async def look() -> None:
        reader = Reader()
        reader.go.set()
        measured = Measuring(reader)
        await measured.object(file)
        renew = file.renew

        def then_another_begins() -> Entry:
            entry = renew()
            file.forget()
            return entry

        monkeypatch.setattr(ObjectFile, "renew", lambda _: then_another_begins())
        await measured.object(file)
        assert len(reader.read) == 1

    asyncio.run(look())


def test_an_object_that_was_written_to_is_read_again(file, path):
    async def look() -> None:
        reader = Reader()
        reader.go.set()
        measured = Measuring(reader)
        await measured.object(file)
        path.write_text("another")
        await measured.object(file)
        assert [entry.size for entry in reader.read] == [3, 7]

    asyncio.run(look())


@pytest.mark.usefixtures("prompt")
def test_a_reading_that_fails_fails_for_all_who_wait_and_is_tried_again_by_the_next(file):
    async def look() -> None:
        reader = Reader()
        reader.failure = ChangedObjectError(URL)
        measured = Measuring(reader)
        waiting = [asyncio.create_task(measured.object(file)) for _ in range(3)]
        await turns(3)
        reader.go.set()
        assert [type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)] == [ChangedError] * 3
        assert len(reader.read) == 1
        reader.failure = None
        await measured.object(file)
        assert len(reader.read) == 2

    asyncio.run(look())


@pytest.mark.usefixtures("prompt")
def test_one_who_leaves_does_not_end_the_reading_for_the_others(file):
    async def look() -> None:
        reader = Reader()
        measured = Measuring(reader)
        first, second = (asyncio.create_task(measured.object(file)) for _ in range(2))
        await turns(3)
        first.cancel()
        await turns(2)
        reader.go.set()
        await second
        assert first.cancelled()
        assert len(reader.read) == 1

    asyncio.run(look())


@pytest.mark.usefixtures("prompt")
def test_at_the_end_of_a_run_nobody_reads_on(file):
    async def look() -> None:
        reader = Reader()
        measured = Measuring(reader)
        waiting = asyncio.create_task(measured.object(file))
        await turns(3)
        measured.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(look())


def test_a_file_that_two_tasks_begin_with_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    reads = []

    def slowly(place: Path):
        reads.append(place)
        time.sleep(0.05)  # the other has begun by then
        return study_file(place)

    monkeypatch.setattr("speedpix_pipe.files.value.study_file", slowly)
    file = FileValue.local(path, tmp_path)

    async def both() -> None:
        measured = Measuring(Reader())
        await asyncio.gather(*(measured.files([file], to_send=False) for _ in range(2)))

    asyncio.run(both())
    assert reads == [path]
    assert file.sha256 == hashlib.sha256(b"one").hexdigest()
