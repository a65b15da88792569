"""Steps of kind `image:`: work on pixels on this machine, for free."""

from __future__ import annotations

import secrets
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.files import (
    Entry,
    FileValue,
    FolderFiles,
    StorageError,
    names_object,
    resolve,
    safe_file_name,
    sniff,
)
from speedpix_pipe.files.storage import ChangedObjectError
from speedpix_pipe.model import Json, KeptFile, Result, Step
from speedpix_pipe.plan.fingerprint import image_fingerprint, salt_of
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.spec.scope import Scope
from speedpix_pipe.steps.base import Job, Kit, Prepared
from speedpix_pipe.steps.expect import ExpectedFile, InputFile, check_expect
from speedpix_pipe.steps.image import (
    IMAGE_CODE_VERSION,
    MadePicture,
    SourcePicture,
    check_rendered,
    file_options,
    pictures_of,
    run_image,
)
from speedpix_pipe.steps.rendered import files_in, rendered_expect, shown
from speedpix_pipe.steps.service import ChangedError
from speedpix_pipe.steps.unchanged import check_unchanged, looks_before

Operations = Sequence[tuple[str, Mapping[str, Any]]]


class ImageKind:
    """Pixel work in the executor's pool."""

    service = "image"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def prepare(self, step: Step, task: str, rendered: Mapping[str, Any], scope: Scope) -> Prepared:
        operations: Operations = [(operation.name, render(operation.options, scope)) for operation in step.operations]
        for finding in check_rendered(operations):
            raise TaskError(finding.message, kind=TaskErrorKind.INPUT, code="task.image", hint=finding.hint)
        pictures_of(rendered)
        operations = self._with_files(operations, scope)
        kit = self._kit
        salt = salt_of(step, task, kit.run_id, cached=step.cache.enabled and not kit.no_cache)
        fingerprint = image_fingerprint(
            [[name, options] for name, options in operations],
            rendered,
            version=str(IMAGE_CODE_VERSION),
            known_url=kit.service.digest_of,
            salt=salt,
        )
        files = tuple([(place, file.path, file.sha256) for place, file in _files_in(rendered, operations)])
        expect = rendered_expect(step, scope)
        return Prepared(fingerprint, rendered, shown(rendered), files, operations=operations, expect=expect)

    @staticmethod
    def _with_files(operations: Operations, scope: Scope) -> Operations:
        """Options that name a file get it as a file value: its content counts, not its name.

        A text here is what an expression gave, so it may choose among the spec's own files and no others.
        """
        ready = [(name, dict(options)) for name, options in operations]
        for index, option in file_options(operations):
            value = ready[index][1][option]
            if isinstance(value, str) and not value.startswith(("http://", "https://")):
                value = safe_file_name("", value)
                if not names_object(value) and not resolve(value, scope.folder).is_file():
                    raise TaskError(f"{ready[index][0]}: no file {value}", kind=TaskErrorKind.INPUT, code="task.file")
                ready[index][1][option] = (scope.files or FolderFiles(scope.folder)).file(value)
        return ready

    async def run(self, job: Job) -> Result:
        work = self._kit.keeper.work / secrets.token_hex(16)
        work.mkdir(parents=True)
        try:
            made = await self._made(job.prepared, work)
            digest = await self._kit.executor.hash(made.path)
            size = made.path.stat().st_size
            sniffed = sniff(made.path)
            await self._kit.keeper.adopt(made.path, digest, size)
        except ChangedObjectError as error:
            raise ChangedError(str(error.filename)) from error
        except StorageError as error:
            raise TaskError(str(error), kind=TaskErrorKind.INPUT, code="task.file", hint=error.hint) from error
        finally:
            # Whoever is cancelled leaves a process behind that still writes here. A later start sweeps what is left.
            shutil.rmtree(work, ignore_errors=True)
        kept = KeptFile(
            place="image",
            sha256=digest,
            size=size,
            media_type=sniffed.media_type,
            extension=sniffed.extension,
            name=f"image.{sniffed.extension}",
            width=made.facts.width,
            height=made.facts.height,
        )
        return Result({"image": {"sha256": digest}}, (kept,), None, self._kit.clock.now())

    async def _made(self, prepared: Prepared, folder: Path) -> MadePicture:
        """The picture, made of the bytes that the task was fingerprinted with: ChangedError if it may not be."""
        files = [file for _, file in _files_in(prepared.input, prepared.operations)]
        digests = [sha256 for _, _, sha256 in prepared.files]
        before = looks_before(zip(files, digests, strict=True))
        try:
            made = await run_image(
                prepared.operations,
                prepared.input,
                locate=partial(self._locate, frozenset(digests)),
                folder=folder,
                pool=self._kit.executor,
            )
        except TaskError:
            await check_unchanged(before)  # a file that somebody was writing looks damaged
            raise
        await check_unchanged(before)
        return made

    async def _locate(self, digests: Collection[str], value: Json) -> SourcePicture:
        """A file value, or the URL of a result of this run. `digests` are those that the fingerprint was made of."""
        if isinstance(value, FileValue):
            place = value.place
            if isinstance(place, Entry) and place.sha256 not in digests:
                raise ChangedError(place.url)
            return SourcePicture(place, value.stem)
        if isinstance(value, Mapping) and isinstance(value.get("url"), str):
            value = value["url"]
        if isinstance(value, str):
            digest = self._kit.service.digest_of(value)
            if digest is not None:
                return SourcePicture(self._kit.keeper.path(digest), Path(value.partition("?")[0]).stem)
        shown_value = str(shown(value))[:80]
        raise TaskError(
            f"an image step works on files of this run, not on {shown_value}",
            kind=TaskErrorKind.INPUT,
            hint="use steps.X.file, steps.X.files or file('...')",
        )

    def accept(self, job: Job) -> None:
        """Nothing was paid."""

    def broken(self, step: Step, result: Result) -> list[str]:  # noqa: ARG002 - our own pictures have no contract
        return []

    async def faults(self, step: Step, prepared: Prepared, result: Result) -> list[str]:  # noqa: ARG002 - one shape
        if not prepared.expect:
            return []
        keeper = self._kit.keeper
        files = [ExpectedFile(kept, keeper.path(kept.sha256)) for kept in result.files]
        output = {kept.place: {"url": f"https://local/{kept.sha256}"} for kept in result.files}
        places = [ExpectedFile(_at_url(file.kept), file.path) for file in files]
        inputs = [
            InputFile(digest, keeper.path(digest)) for _, _, digest in prepared.files if keeper.path(digest).exists()
        ]
        return await check_expect(prepared.expect, output, places, inputs, self._kit.executor)

    def leave(self) -> None:
        """Pixel work ends with the executor."""

    async def aclose(self) -> None:
        """The pool is the executor's."""


def _files_in(rendered: Mapping[str, Any], operations: Operations) -> list[tuple[str, FileValue]]:
    """Every file of a task with its place: those of its input, then those of its operations, whose names may repeat."""
    found, names = files_in(rendered), Counter[str]()
    for name, options in operations:
        names[name] += 1
        place = name if names[name] == 1 else f"{name}-{names[name]}"
        found += files_in({place: options})
    return found


def _at_url(kept: KeptFile) -> KeptFile:
    return replace(kept, place=f"{kept.place}.url")
