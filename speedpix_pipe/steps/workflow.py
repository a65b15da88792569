"""Steps of kind `workflow:`: what will be asked of the service, and whether the answer is what was promised."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.files import image_size
from speedpix_pipe.model import Result, Step
from speedpix_pipe.plan.fingerprint import salt_of, workflow_fingerprint
from speedpix_pipe.spec.contracts import check_input, check_output
from speedpix_pipe.spec.scope import Scope
from speedpix_pipe.steps.base import Job, Kit, Prepared
from speedpix_pipe.steps.expect import ExpectedFile, InputFile, check_expect
from speedpix_pipe.steps.prediction import Predictions
from speedpix_pipe.steps.rendered import files_in, input_files, rendered_expect, shown
from speedpix_pipe.steps.seeds import Choice


class WorkflowKind:
    """Paid work on the service."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._predictions = Predictions(
            kit.service, kit.ledger, kit.keeper, kit.executor, kit.clock, kit.random, kit.seeds
        )

    @property
    def service(self) -> str:
        return self._kit.service.name

    def prepare(self, step: Step, task: str, rendered: Mapping[str, Any], scope: Scope) -> Prepared:
        workflow = step.workflow
        assert workflow is not None
        wrong = check_input(workflow, rendered)
        if wrong:
            raise TaskError("; ".join(wrong), kind=TaskErrorKind.INPUT, code="task.contract")
        fingerprint, choice = self._fingerprint(step, task, rendered), None
        if not self._kit.seeds.idle and not step.randomise_seeds:  # there, to ask again is to draw again
            fingerprint, choice, rendered = self._as_chosen(step, task, rendered, fingerprint)
        expect = rendered_expect(step, scope)
        return Prepared(fingerprint, rendered, shown(rendered), input_files(rendered), expect=expect, choice=choice)

    def _fingerprint(self, step: Step, task: str, rendered: Mapping[str, Any], *, salted: bool = True) -> str:
        kit, workflow = self._kit, step.workflow
        assert workflow is not None
        salt = salt_of(step, task, kit.run_id, cached=self._cached(step)) if salted else ()
        try:
            return workflow_fingerprint(
                step, workflow, rendered, service=kit.service.name, known_url=kit.service.digest_of, salt=salt
            )
        except (TypeError, ValueError) as error:
            raise TaskError(f"input: {error}", kind=TaskErrorKind.INPUT, code="task.input") from error

    def _cached(self, step: Step) -> bool:
        return step.cache.enabled and not self._kit.no_cache

    def _as_chosen(
        self, step: Step, task: str, rendered: Mapping[str, Any], fingerprint: str
    ) -> tuple[str, Choice | None, Mapping[str, Any]]:
        """Fingerprint and input with the seed that somebody chose, if it counts."""
        workflow, seeds = step.workflow, self._kit.seeds
        assert workflow is not None
        cached = self._cached(step)
        base = fingerprint if cached else self._fingerprint(step, task, rendered, salted=False)
        choice = seeds.choice(base, task, workflow, rendered)
        if choice is None:
            return fingerprint, None, rendered
        other = {**rendered, **choice.seed} if choice.seed is not None else rendered
        wrong = check_input(workflow, other)
        if wrong:
            raise TaskError(f"another seed: {'; '.join(wrong)}", kind=TaskErrorKind.INPUT, code="task.contract")
        drawing = replace(step, randomise_seeds=True) if choice.seed is None else step
        made = self._fingerprint(drawing, task, other)
        if cached and not choice.fresh and not seeds.sent(made):
            return fingerprint, None, rendered
        return made, choice, other

    async def run(self, job: Job) -> Result:
        assert job.prepared.fingerprint is not None
        return await self._predictions.run(job, job.prepared.fingerprint)

    def accept(self, job: Job) -> None:
        self._predictions.settle(job)

    def broken(self, step: Step, result: Result) -> list[str]:
        assert step.workflow is not None
        return check_output(step.workflow, result.output)

    async def faults(self, step: Step, prepared: Prepared, result: Result) -> list[str]:
        wrong = self.broken(step, result)
        if prepared.expect and not wrong:
            wrong += await self._missed(prepared, result)
        return wrong

    async def _missed(self, prepared: Prepared, result: Result) -> list[str]:
        """Sizes are read from the pixels that arrived, not from what the answer says about them."""
        keeper = self._kit.keeper
        files = []
        for kept in result.files:
            path = keeper.path(kept.sha256)
            size = await asyncio.to_thread(image_size, path)
            exact = replace(kept, width=size[0], height=size[1]) if size else kept
            files.append(ExpectedFile(exact, path))
        inputs = [InputFile(file.sha256, file.place) for _, file in files_in(prepared.input)]
        return await check_expect(prepared.expect, result.output, files, inputs, self._kit.executor)

    def leave(self) -> None:
        self._predictions.leave()

    async def aclose(self) -> None:
        await self._predictions.drain()
