"""Carries out the cases of a spec, one after the other, each on an emulator and in a folder of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import run
from speedpix_pipe.app.spectest.answers import Answer, answers
from speedpix_pipe.app.spectest.casefile import Case, case_files, read_cases
from speedpix_pipe.app.spectest.judging import Miss, judge
from speedpix_pipe.app.spectest.stage import OBJECTS, PARAMS, set_stage
from speedpix_pipe.app.spectest.watching import Outcome
from speedpix_pipe.clock import Clock, SystemClock
from speedpix_pipe.errors import PipeError, Problem, RunInterruptedError, SpecError, UsageError
from speedpix_pipe.files.storage import standing_in
from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import load_settings
from speedpix_pipe.spec.build import load_pipeline

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class TestRequest:
    """`named`: only cases whose name contains this text. `kept`: where folders of cases stay, to be looked at."""

    __test__ = False  # for pytest: this is no test of ours

    specs: Sequence[Path]
    cwd: Path
    named: str = ""
    keep: bool = False
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one case."""

    case: Case
    misses: tuple[Miss, ...]
    seconds: float
    folder: Path | None = None  # where it was kept

    @property
    def passed(self) -> bool:
        return not self.misses

    def to_json(self) -> dict[str, Json]:
        return {
            "path": self.case.mark.path,
            "line": self.case.mark.line,
            "name": self.case.name,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "misses": [miss.to_json() for miss in self.misses],
        }


def cases_of(request: TestRequest) -> list[tuple[Path, Case]]:
    """All cases that are asked for. SpecError with every problem of every case file, before anything is run."""
    found: list[tuple[Path, Case]] = []
    problems: list[Problem] = []
    for shown_spec in request.specs:
        for spec, path in case_files(request.cwd / shown_spec):
            shown = path.relative_to(request.cwd) if path.is_relative_to(request.cwd) else path
            try:
                found += [(spec, case) for case in read_cases(path, str(shown))]
            except SpecError as error:
                problems += error.problems
    if problems:
        raise SpecError(problems)
    chosen = [(spec, case) for spec, case in found if request.named.casefold() in case.name.casefold()]
    if not chosen:
        raise UsageError(f'no case has "{request.named}" in its name', code="usage.no-cases")
    return chosen


def test(request: TestRequest, cases: Sequence[tuple[Path, Case]]) -> Iterator[Verdict]:
    """Verdicts as they fall."""
    for spec, case in cases:
        began = request.clock.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="speedpix-case-"))
        try:
            misses = _carry_out(spec, case, folder)
        finally:
            if not request.keep:
                shutil.rmtree(folder, ignore_errors=True)
        yield Verdict(case, tuple(misses), request.clock.monotonic() - began, folder if request.keep else None)


test.__test__ = False  # type: ignore[attr-defined]  # for pytest, which would collect it


def _carry_out(spec: Path, case: Case, folder: Path) -> list[Miss]:
    with standing_in(folder / OBJECTS):
        return _on_stage(spec, case, folder)


def _on_stage(spec: Path, case: Case, folder: Path) -> list[Miss]:
    staged = set_stage(spec, case, folder)
    scripted = answers(case, load_pipeline(staged, check_files=False)[0])
    misses = judge(case.expect, _run(folder, staged, case, scripted))
    if case.again is not None:
        misses += judge(case.again, _run(folder, staged, case, scripted))
    return misses


def _run(folder: Path, staged: Path, case: Case, scripted: Mapping[str, Answer]) -> Outcome:
    came = Outcome(staged.parent, folder / OBJECTS)
    request = RunRequest(
        spec=SpecRequest(
            spec=Path(staged.name),
            cwd=staged.parent,
            settings=load_settings(None, dict(case.env)),
            params_file=staged.parent / PARAMS,
        ),
        local=True,
        only=case.only,
        start_from=case.start_from,
        answers=scripted,
    )

    try:
        outcome = asyncio.run(run(request, lambda _tally, _loaded: [came]))
    except SpecError as error:
        came.exit_code, came.problems = error.exit_code, error.problems
    except RunInterruptedError:
        raise
    except PipeError as error:
        came.exit_code, came.refusal = error.exit_code, error.message
    else:
        if outcome.exit_code == INTERRUPTED:
            raise RunInterruptedError("interrupted")
        came.exit_code, came.status = outcome.exit_code, outcome.summary.status.value
        came.outputs = outcome.summary.outputs
    return came
