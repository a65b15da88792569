"""Everything that can go wrong in the runner, as one tree.

    PipeError                     code, exit_code, message, hint
    ├── UsageError           2    the command line, a param, the state folder
    ├── SpecError            2    the spec; carries every Problem at once
    ├── PlanError            2    a plan that must not start (limits known to be passed)
    ├── AccessError          3    credentials, permission, endpoint
    ├── RunFailedError       1    some tasks failed or are unknown
    ├── RunInterruptedError  130  stopped by a signal, resumable
    ├── StoreError           2    the state folder cannot be used
    ├── ExecutorError        1    bytes could not be moved or pixels not worked
    ├── ExpressionError      1    an expression that cannot be evaluated
    │   └── AbsentError           ... because it needs the output of a task that has none
    └── TaskError            1    one attempt of one task; `kind` says whose fault

The SDK has a tree of its own (`speedpix_pipe.sdk.errors`); `steps` translates one into the other.
Only `cli` turns an error into text and an exit code.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from speedpix_pipe.records import dataclass


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a spec, with its place (line and column count from 1)."""

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR
    snippet: str | None = None  # the line of the file; the caret stands under `column`
    width: int = 1  # how many characters the caret underlines

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"

    def to_json(self) -> dict[str, object]:
        return {
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "severity": self.severity.value,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Files as they first appear, places within them in order, errors before warnings at one place, no doubles."""
    once: dict[tuple[str, int, int, str, str], Problem] = {}
    for problem in problems:
        once.setdefault((problem.path, problem.line, problem.column, problem.code, problem.message), problem)
    files = {path: number for number, path in enumerate(dict.fromkeys(p.path for p in once.values()))}
    return sorted(once.values(), key=lambda p: (files[p.path], p.line, p.column, p.severity is Severity.WARNING))


class PipeError(Exception):
    """Base of all errors of the runner. `code` is stable, `hint` says what to do."""

    code = "pipe.error"
    exit_code = 1

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class UsageError(PipeError):
    code = "usage.error"
    exit_code = 2


class SpecError(PipeError):
    """The spec is wrong. Carries every problem that was found, not only the first."""

    code = "spec.error"
    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        errors = [p for p in self.problems if p.severity is Severity.ERROR]
        super().__init__("\n".join(str(p) for p in (errors or self.problems)))


class PlanError(PipeError):
    code = "plan.error"
    exit_code = 2


class AccessError(PipeError):
    code = "access.error"
    exit_code = 3


class RunFailedError(PipeError):
    code = "run.failed"
    exit_code = 1


class RunInterruptedError(PipeError):
    code = "run.interrupted"
    exit_code = 130


class StoreError(PipeError):
    code = "store.error"
    exit_code = 2


class ExecutorError(PipeError):
    code = "executor.error"
    exit_code = 1


class ExpressionError(PipeError):
    """An expression that cannot be evaluated: undefined names, wrong types, limits passed."""

    code = "expression.error"

    def __init__(
        self, message: str, *, code: str | None = None, hint: str | None = None, where: str | None = None
    ) -> None:
        super().__init__(f"{where}: {message}" if where else message, code=code, hint=hint)
        self.where = where  # "file:line:col" of the expression


class AbsentError(ExpressionError):
    """The expression needs the output of a task that was skipped or ignored: who evaluates it is skipped."""

    code = "expression.absent"


class TaskErrorKind(StrEnum):
    TRANSPORT = "transport"  # the network
    GATEWAY = "gateway"  # the service refused or was busy
    TASK = "task"  # the workflow itself failed, or its result broke the contract
    DOWNLOAD = "download"  # a result could not be fetched
    UNKNOWN = "unknown"  # a submission whose outcome nobody knows
    INPUT = "input"  # the rendered input is wrong: expression, file, contract
    OUTPUT = "output"  # a result could not be saved
    TIMEOUT = "timeout"  # the wait ended; the prediction goes on


class TaskError(PipeError):
    """One attempt of one task failed."""

    code = "task.error"

    def __init__(
        self,
        message: str,
        *,
        kind: TaskErrorKind,
        code: str | None = None,
        hint: str | None = None,
        prediction_id: str | None = None,
    ) -> None:
        super().__init__(message, code=code or f"task.{kind.value}", hint=hint)
        self.kind = kind
        self.prediction_id = prediction_id
