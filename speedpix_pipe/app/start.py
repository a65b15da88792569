"""Before anything is paid for: limits that are known to be passed refuse the run, and people are asked once."""

from __future__ import annotations

from functools import partial

from speedpix_pipe.app.connection import Connection
from speedpix_pipe.app.forecast import AskAgain, foresee
from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.app.selection import Selection, select
from speedpix_pipe.app.specs import Loaded
from speedpix_pipe.console.base import Ink, money, plural
from speedpix_pipe.engine.lanes import Spent
from speedpix_pipe.errors import PlanError, RunInterruptedError
from speedpix_pipe.files.objects import measure_some
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.model import Limits
from speedpix_pipe.plan.estimate import Estimate
from speedpix_pipe.store import Store

MANY = 100  # predictions; more are asked about even where no price is known


async def may_begin(
    request: RunRequest,
    loaded: Loaded,
    connection: Connection,
    store: Store,
    run_id: str,
    spent: Spent,
    *,
    selection: Selection | None = None,
    again: AskAgain | None = None,
) -> None:
    """PlanError where a limit would surely be passed, RunInterruptedError where the answer is no.

    `selection` is the request's own if none is given: a fresh one, since a walk attaches to it.
    """
    limits = loaded.pipeline.limits
    asks = request.confirm is not None and not connection.local
    failed_before = limits.max_failures is not None and bool(spent.failed)
    if limits.max_predictions is None and limits.max_cost is None and not failed_before and not asks:
        return
    look = partial(
        foresee,
        loaded,
        selection or select(loaded.graph, request.only, request.start_from),
        connection,
        store,
        request.clock,
        run_id=run_id,
        no_cache=request.no_cache,
        again=again,
    )
    # A forecast may have to ask for many objects, one after another; nothing else goes on yet.
    if loaded.objects.used:
        await in_thread(lambda: measure_some(loaded.params.values()))
        estimate = await in_thread(look)
    else:
        estimate = look()
    _refuse(estimate, limits, spent)
    question = question_of(estimate, request.spec.settings.language)
    if asks and question is not None:
        assert request.confirm is not None
        if not request.confirm(question):
            raise RunInterruptedError("nothing was sent", code="run.declined")


def question_of(estimate: Estimate, language: str = "en") -> str | None:
    """What is asked before paying; None where there is nothing to ask."""
    submissions = estimate.possible_submissions
    if not submissions or not (estimate.priced or submissions > MANY):
        return None
    ink, sure = Ink(color=False, language=language), estimate.submissions
    text = ink.say("ask_sure", predictions=ink.count("prediction", sure))
    if submissions > sure:
        text += ink.say("ask_more", count=submissions - sure)
    if estimate.priced and estimate.cost is not None:
        text += ink.say("ask_most", money=money(estimate.cost))
    elif estimate.priced:
        text += ink.say("ask_least", money=money(estimate.sure_cost))
    return ink.say("ask_on", text=text)


def _refuse(estimate: Estimate, limits: Limits, spent: Spent) -> None:
    predictions, cost = spent.predictions + estimate.submissions, spent.cost + estimate.sure_cost
    hint = "raise the limit, or run less at once: --only, or fewer items"
    if limits.max_predictions is not None and predictions > limits.max_predictions:
        raise PlanError(
            f"limits.max_predictions is {limits.max_predictions:,}, and this run would make {predictions:,}",
            code="plan.max-predictions",
            hint=hint,
        )
    if limits.max_cost is not None and cost > limits.max_cost + 1e-9:
        raise PlanError(
            f"limits.max_cost is {money(limits.max_cost)}, and this run would cost {money(cost)}",
            code="plan.max-cost",
            hint=hint,
        )
    if limits.max_failures is not None and estimate.submissions and len(spent.failed) >= limits.max_failures:
        raise PlanError(
            f"limits.max_failures is {limits.max_failures:,}, and of this run {plural(len(spent.failed), 'task')} "
            "failed already or came to an unknown end",
            code="plan.max-failures",
            hint="mend what made them fail and raise the limit, or begin a new run without --resume",
        )
