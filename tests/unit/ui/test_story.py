"""What is told of one task, and that the page has words for all of it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from speedpix_pipe import events
from speedpix_pipe.events import PredictionCreated, TaskCached, TaskStarted, TaskSucceeded
from speedpix_pipe.ui.story import _NOT_TOLD, tell
from speedpix_pipe.words import words_for

OF_TASKS = [kind for kind in events.Event.__args__ if any(field.name == "key" for field in fields(kind))]


@pytest.mark.parametrize("kind", OF_TASKS, ids=lambda kind: kind.__name__)
def test_the_page_has_words_for_every_event_and_its_fields(kind):
    words = words_for("live", "zh")
    assert f"event_{kind.__name__}" in words
    told = [field.name for field in fields(kind) if field.name not in _NOT_TOLD]
    assert [name for name in told if f"field_{name}" not in words] == []


@pytest.mark.parametrize(
    ("event", "paid"),
    [
        (PredictionCreated(step="s", key="k", submission=1, prediction_id="p"), True),
        (TaskCached(step="s", key="k", fingerprint="f", prediction_id="p"), True),
        (TaskCached(step="s", key="k", fingerprint="f"), False),
        (TaskSucceeded(step="s", key="k", seconds=1.0), False),
    ],
)
def test_what_the_service_made_may_have_another_seed(event, paid):
    assert tell([TaskStarted(step="s", key="k", input={"seed": 1}), event])["paid"] is paid
