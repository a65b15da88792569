"""The service that a run talks to: the real one, or the emulator embedded in this process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from speedpix_pipe.model import Pipeline, Workflow
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import Settings

if TYPE_CHECKING:
    from speedpix_pipe.sdk import AsyncSpeedPix

LOCAL = "local"
READS_PER_SECOND = 250.0  # looks at predictions and results, until the service asks for patience
READS_EACH = 8.0  # of each prediction in flight: it is looked at five times a second at most, and many end at once


@dataclass(frozen=True, slots=True)
class Connection:
    """`name` stands in fingerprints, `account` in the ledger."""

    name: str
    account: str
    connect: Callable[[], AsyncSpeedPix]
    upload_account: str  # under which uploads are remembered; those to an embedded emulator end with it
    local: bool = False
    learn: Callable[[Pipeline], None] = lambda _: None  # the spec was edited: the emulator should know its workflows


def service_name(endpoint: str) -> str:
    """An endpoint's host and port, as fingerprints have it."""
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _reads(concurrency: int) -> float:
    return max(READS_PER_SECOND, READS_EACH * concurrency)


def to_service(settings: Settings, *, concurrency: int = 1) -> Connection:
    """The service that the environment names. AccessError where credentials are missing."""
    credentials = settings.credentials()
    name = service_name(credentials.endpoint)
    key = hashlib.sha256(credentials.app_key.reveal().encode()).hexdigest()[:16]

    def connect() -> AsyncSpeedPix:
        from speedpix_pipe.sdk import AsyncSpeedPix

        return AsyncSpeedPix(
            credentials.app_key.reveal(),
            credentials.app_secret.reveal(),
            credentials.endpoint,
            use_file_output=False,
            max_reads_per_second=_reads(concurrency),
        )

    return Connection(name, f"{name}|{key}", connect, upload_account=f"{name}|{key}")


@contextmanager
def to_emulator(
    pipeline: Pipeline,
    note: Callable[[str], None],
    answers: Mapping[str, Callable[[Any], Any]] | None = None,
    *,
    latency: float = 0.0,
    concurrency: int = 1,
) -> Iterator[Connection]:
    """The embedded emulator, for as long as the run lasts. It finds a workflow by id, by name, or by its contract.

    `answers`, by id, go over all that.
    """
    from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread

    known = {**_by_id(pipeline, note, answers or {}), **(answers or {})}
    options = EmulatorOptions(latency=latency, workflows=known, fallback=_unknown)
    with EmulatorThread(options) as emulator:

        def connect() -> AsyncSpeedPix:
            from speedpix_pipe.sdk import AsyncSpeedPix

            return AsyncSpeedPix(
                options.app_key,
                options.app_secret,
                emulator.url,
                use_file_output=False,
                max_reads_per_second=_reads(concurrency),
            )

        uploads = f"{LOCAL}|{os.urandom(16).hex()}"
        learn = lambda edited: known.update(_by_id(edited, note, known))  # noqa: E731 - one line, used once
        yield Connection(LOCAL, f"{LOCAL}|{LOCAL}", connect, upload_account=uploads, local=True, learn=learn)


def _by_id(
    pipeline: Pipeline, note: Callable[[str], None], known: Mapping[str, object]
) -> dict[str, Callable[[Any], Any]]:
    """Answers for the workflows of the spec that the emulator does not know by their id; `known` are there already."""
    from speedpix_pipe.emulator.workflows import WORKFLOWS

    found: dict[str, Callable[[Any], Any]] = {}
    for workflow, declared in _workflows(pipeline):
        if workflow.id in WORKFLOWS or workflow.id in known or workflow.id in found:
            continue
        if workflow.name in WORKFLOWS:
            found[workflow.id] = WORKFLOWS[workflow.name].run
        elif workflow.output is not None:
            note(f"{workflow.name} exists on the service only: it is answered from its contract")
            found[workflow.id] = _contract_answer(workflow)
        elif declared:
            note(f"{workflow.name} exists on the service only, and its contract lists no output: it gives a picture")
            found[workflow.id] = _picture_answer(workflow)
    for name in dict.fromkeys(w.name for w, _ in _workflows(pipeline) if w.id not in {*WORKFLOWS, *known, *found}):
        note(f"{name} exists on the service only, and `workflows` does not say what it gives: its tasks will fail here")
    return found


def _workflows(pipeline: Pipeline) -> Iterator[tuple[Workflow, bool]]:
    """What the steps call, and whether `workflows` has an entry for it."""
    for step in pipeline.steps.values():
        if step.workflow is not None:
            yield step.workflow, step.workflow.name in pipeline.workflows
        if step.pipeline is not None:
            yield from _workflows(step.pipeline)


def _contract_answer(workflow: Workflow) -> Callable[[Any], Any]:
    def answer(inputs: Any) -> Any:
        from speedpix_pipe.emulator import contracts

        fields = {name: {"type": field.type, **dict(field.schema)} for name, field in (workflow.output or {}).items()}
        return contracts.answer(workflow.name, fields, inputs)

    return answer


def _picture_answer(workflow: Workflow) -> Callable[[Any], Any]:
    def answer(inputs: Any) -> Any:
        from speedpix_pipe.emulator import contracts

        return contracts.picture(workflow.name, inputs)

    return answer


def _unknown(workflow_id: str, inputs: dict[str, Any]) -> Any:  # noqa: ARG001 - the emulator's shape
    return None
