"""Final files of tasks: which paths a task may write, and writing them from what is kept.

Paths are claimed before anything is paid for, so that two tasks can never mean the same file. How a file comes
to stand whole under its name is `store.outputs`'.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.events import FileSaved, Warned
from speedpix_pipe.files import ObjectUrl, Reads, address_of, shown_address
from speedpix_pipe.files.objects import seen
from speedpix_pipe.model import Json, KeptFile, Result
from speedpix_pipe.plan.claims import Claims
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.targets import STAND_IN, Target, uses
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.base import Emit, Keeper
from speedpix_pipe.steps.places import at

Address = Path | ObjectUrl  # where a file ends up


class Published(Protocol):
    @property
    def kind(self) -> str: ...

    @property
    def moved_aside(self) -> Address | None: ...

    @property
    def written(self) -> asyncio.Future[None] | None: ...


Record = Any  # what the store remembers of a final file: its own business


class Outputs(Protocol):
    """The store's final files."""

    def records(self, targets: Iterable[Address]) -> Mapping[Address, Record]: ...

    def current(self, target: Address, sha256: str, record: Record) -> bool: ...

    async def publish(
        self, blob: Path, target: Address, *, sha256: str, run_id: str, size: int, media_type: str, verify: bool
    ) -> Published: ...


@dataclass(frozen=True, slots=True)
class _Piece:
    """One thing to be saved: a kept file, or a plain value."""

    target: Target
    rule: int  # the target's place in `save`
    number: int
    kept: KeptFile | None
    value: Json = None

    @property
    def extension(self) -> str:
        if self.kept is not None:
            return self.kept.extension
        return "txt" if isinstance(self.value, str) else "json"


class Saver:
    """Saves the files of one run's tasks."""

    def __init__(self, scopes: Scopes, outputs: Outputs, keeper: Keeper, run_id: str, emit: Emit, reads: Reads) -> None:
        self.reads = reads  # never replaced
        self.forbidden: Callable[[Path], str | None] | None = None  # why a path must not be written, if so
        self._scopes = scopes
        self._outputs = outputs
        self._keeper = keeper
        self._run_id = run_id
        self._emit = emit
        self._claims = Claims()
        self._claimed: dict[Task, list[Target]] = {}

    def claim(self, task: Task) -> list[Target]:
        """Render the task's `save` and claim its paths, once. A bad or taken path costs nothing yet."""
        targets = self._claimed.get(task)
        if targets is None:
            targets = self._claimed[task] = self._claim(task)
        return targets

    def _claim(self, task: Task) -> list[Target]:
        targets = self._claims.claim(task, self._scopes)
        if self.forbidden is None:
            return targets
        folder = task.node.space.pipeline.folder
        for target in targets:
            path = target.path(1, STAND_IN)
            address = address_of(path, folder)
            why = self.forbidden(address) if isinstance(address, Path) else None
            if why is not None:
                raise TaskError(
                    f"{path} {why}", kind=TaskErrorKind.INPUT, code="task.save", hint="save to another folder"
                )
        return targets

    def spare_inputs(self, task: Task, targets: Sequence[Target]) -> None:
        """Before anything is paid: what the run reads is never written over."""
        folder = task.node.space.pipeline.folder
        for target in targets:
            if not uses(target.rule.target, "ext") and address_of(target.path(1, STAND_IN), folder) in self.reads:
                raise _is_read(target.path(1, STAND_IN))

    def places(self, task: Task, result: Result) -> dict[str, Address] | None:
        """Where each kept file of a result belongs, by its place in the output; None where a value is to be written."""
        folder = task.node.space.pipeline.folder
        found: dict[str, Address] = {}
        pieces = list(_pieces(self.claim(task), result))
        self._claim_further(task, pieces)
        for piece in pieces:
            if piece.kept is None:
                return None
            found[piece.kept.place] = address_of(piece.target.path(piece.number, piece.kept.extension), folder)
        return found

    def records(self, addresses: Iterable[Address]) -> Mapping[Address, Record]:
        """What we last wrote to these."""
        return self._outputs.records(addresses)

    def standing(
        self, places: Mapping[str, Address], result: Result, records: Mapping[Address, Record]
    ) -> Mapping[str, Address] | None:
        """The same places, if all files stand there untouched already; else None."""
        for kept in result.files:
            address = places.get(kept.place)
            if address is not None:
                record = records.get(address)
                if record is None or not self._outputs.current(address, kept.sha256, record):
                    return None
        return places

    def tell_standing(self, task: Task, result: Result, saved: Mapping[str, Address]) -> None:
        """Say of files that stood there already what `save` says of those it writes."""
        for kept in result.files:
            if kept.place in saved:
                self._tell(task, saved[kept.place], kept.sha256, kept.size, kept.media_type)

    def _claim_further(self, task: Task, pieces: Iterable[_Piece]) -> None:
        """Before anything is written: how many files there are, nobody knew when the first was claimed."""
        for piece in pieces:
            if piece.number > 1:
                path = piece.target.path(piece.number, piece.extension)
                self._claims.claim_further(task, path, rule=piece.rule, number=piece.number)

    async def save(
        self, task: Task, targets: Sequence[Target], result: Result, *, verify: bool = False
    ) -> tuple[dict[str, Address], asyncio.Future[None] | None]:
        """Publish what `save` names; the saved path of each kept file, by its place, and when all is recorded.

        `verify`: its files come from the cache. StoreError `store.spoiled` where one is no longer what it was.
        """
        folder = task.node.space.pipeline.folder
        saved: dict[str, Address] = {}
        written = None  # of the last one: records are written in their order
        pieces = list(_pieces(targets, result))
        await seen(partial(self._claim_further, task, pieces))
        for piece in pieces:
            if piece.kept is not None:
                kept = piece.kept
                digest, size, extension, media_type = kept.sha256, kept.size, kept.extension, kept.media_type
            else:
                digest, size = await self._keep_value(piece.value)
                extension = piece.extension
                media_type = "application/json" if extension == "json" else "text/plain"
            path = address_of(await seen(partial(piece.target.path, piece.number, extension)), folder)
            if path in self.reads:
                raise _is_read(shown_address(path, folder))
            published = await self._outputs.publish(
                self._keeper.path(digest),
                path,
                sha256=digest,
                run_id=self._run_id,
                size=size,
                media_type=media_type,
                verify=verify and piece.kept is not None,
            )
            written = published.written or written
            self._report(task, path, published)
            self._tell(task, path, digest, size, media_type, restored=published.kind == "restored")
            if piece.kept is not None:
                saved[piece.kept.place] = path
        for target in targets:
            if target.rule.path is not None and not at(result.output, target.rule.path) and not saved:
                message = f"{task.name}: `save` names {target.rule.path}, and the output has nothing there"
                self._emit(Warned(code="output.nothing", message=message))
        return saved, written

    def _tell(
        self, task: Task, path: Address, digest: str, size: int, media_type: str, *, restored: bool = False
    ) -> None:
        self._emit(
            FileSaved(
                step=task.node.name,
                key=task.key,
                path=shown_address(path, self._scopes.walk.graph.pipeline.folder),
                sha256=digest,
                size=size,
                media_type=media_type,
                restored=restored,
            )
        )

    def _report(self, task: Task, path: Address, published: Published) -> None:
        if published.kind == "changed":
            message = (
                f"{path} was changed since it was saved: it is left alone, and what follows uses the kept original"
            )
            self._emit(Warned(code="output.changed", message=message))
        elif published.moved_aside is not None:
            message = f"{path} held other bytes; they are now {published.moved_aside.name} ({task.name})"
            self._emit(Warned(code="output.moved-aside", message=message))

    async def _keep_value(self, value: Json) -> tuple[str, int]:
        """A value that is no file becomes one: text as it is, anything else as JSON."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        data = text.encode("utf-8", "backslashreplace")  # half a character stands there as JSON writes it
        digest = hashlib.sha256(data).hexdigest()
        try:
            await self._keeper.keep(data, digest)
        except OSError as error:
            raise TaskError(
                f"cannot save a value: {error.strerror or error}", kind=TaskErrorKind.OUTPUT, code="task.cannot-save"
            ) from error
        return digest, len(data)


def saved_paths(targets: Sequence[Target], result: Result, folder: Path) -> dict[str, Address]:
    """Where each kept file of a result is saved, by its place in the output."""
    return {
        piece.kept.place: address_of(piece.target.path(piece.number, piece.kept.extension), folder)
        for piece in _pieces(targets, result)
        if piece.kept is not None
    }


def _pieces(targets: Sequence[Target], result: Result) -> Iterable[_Piece]:
    by_place = {kept.place: kept for kept in result.files}
    for rule, target in enumerate(targets):
        if target.rule.path is None:
            for number, kept in enumerate(result.files, start=1):
                yield _Piece(target, rule, number, kept)
            continue
        if target.rule.path in by_place:
            yield _Piece(target, rule, 1, by_place[target.rule.path])
            continue
        for number, here in enumerate(at(result.output, target.rule.path), start=1):
            yield _Piece(target, rule, number, by_place.get(here.place), here.value)


def _is_read(path: str) -> TaskError:
    message = f"{path} is read by this run and is not replaced"
    return TaskError(message, kind=TaskErrorKind.OUTPUT, code="task.save", hint="save to another folder")
