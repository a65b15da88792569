"""Events in, a RunSummary out: what a run did, in figures that always add up.

`Tally` takes events one by one, each at the same small cost however many tasks a run has: it keeps counters,
the tasks in flight, and the rows that `run --json` must list (files, failures, unknown submissions). Progress,
logs, the closing summary, `run --json` and the exit code all read it. How any of that looks is `console`'s
business, and history is the journal's.
"""

from __future__ import annotations

from speedpix_pipe.summary.base import (
    Failure,
    RunSummary,
    SavedFile,
    StepTally,
    UnknownTask,
    as_refused,
    common_reason,
    exit_code,
    refusal,
)
from speedpix_pipe.summary.tally import Tally

__all__ = [
    "Failure",
    "RunSummary",
    "SavedFile",
    "StepTally",
    "Tally",
    "UnknownTask",
    "as_refused",
    "common_reason",
    "exit_code",
    "refusal",
]
