from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from speedpix_pipe import events
from speedpix_pipe.model import KeptFile, RunStatus
from speedpix_pipe.store.codec import decode_event, encode_event, from_stamp, text_in, text_out, to_stamp

AT = datetime(2026, 3, 1, 12, 30, 59, 999999, tzinfo=UTC)
KEPT = KeptFile(
    place="images.0.url",
    sha256="a" * 64,
    size=5,
    media_type="image/png",
    extension="png",
    url="https://results.example/1.png",
    url_expires_at=AT,
    width=10,
    height=20,
)
BARE = KeptFile(place="", sha256="b" * 64, size=0, media_type="", extension="")
TASK: dict[str, Any] = {"run_id": "r", "seq": 7, "at": AT, "step": "outer.white", "key": "in/阿里@云.jpg"}
RUN: dict[str, Any] = {"run_id": "r", "seq": 7, "at": AT}
EVENTS: list[events.Event] = [
    events.RunStarted(
        **RUN,
        pipeline="p",
        spec_path="/s/ü.yaml",
        spec_digest="d",
        state_folder="/s/.speedpix",
        service="local",
        params={"a": [1, 2.5, None, True, "x"]},
        steps=("a", "b"),
        commit="c0ffee",
        dirty=True,
        version="1.0",
        resolved_spec={"steps": {}},
        arguments=["-p", "a=1"],
    ),
    events.RunResumed(**RUN, reason="--resume"),
    events.RunFinished(**RUN, status=RunStatus.FAILED, resumable=True, seconds=0.0, outputs={"a": 1}, reason="why"),
    events.ItemFound(**TASK, index=0, item={"name": "cup"}, matrix={"look": "sun"}, order=(0, 2)),
    events.TaskStarted(**TASK, attempt=2, fingerprint="f", input={"n": 10**30}, input_files=(("a", "b", "c"),)),
    events.TaskRetrying(**TASK, attempt=2, delay_seconds=1.5, kind="gateway", message="busy"),
    events.TaskCached(**TASK, fingerprint="f", output=[], files=(KEPT, BARE), source="twin", price=0.25),
    events.TaskSucceeded(**TASK, seconds=1.0, attempts=3, output={"x": []}, files=(KEPT,), prediction_id="p"),
    events.TaskSucceeded(**TASK, seconds=1.0, output=False),
    events.TaskFailed(**TASK, kind="task", code="task.failed", message="no", ignored=True, prediction_id="p"),
    events.TaskSkipped(**TASK, reason="when", cause="a@b", by_failure=True),
    events.TaskCancelled(**TASK, prediction_id="p"),
    events.TaskUnknown(**TASK, message="m", fingerprint="f", submission=3, price=1.0),
    events.UploadFinished(**RUN, path="a\udcff.jpg", sha256="s", size=1, seconds=0.5, reused=True),
    events.PredictionRequested(**TASK, submission=1, fingerprint="f", price=2.0),
    events.PredictionCreated(**TASK, submission=1, prediction_id="p", resumed=True),
    events.PredictionFinished(**TASK, prediction_id="p", status="succeeded", service_seconds=3.5),
    events.FileSaved(**TASK, path="out/a.png", sha256="s", size=9, media_type="image/png", restored=True),
    events.Warned(**RUN, code="w", message='say "no"\n\u2028'),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_equal(event: events.Event) -> None:
    assert decode_event(event.run_id, event.seq, *encode_event(event)) == event


def test_every_kind_of_event_but_progress_is_tried_here() -> None:
    kinds = set(events.Event.__args__) - {events.TaskProgressed}
    assert {type(event) for event in EVENTS} == kinds


def test_fields_with_their_default_take_no_room() -> None:
    _, _, _, body = encode_event(events.TaskCancelled(run_id="r", seq=1, at=AT, step="a", key=""))
    assert body == ""


def test_a_moment_is_kept_to_the_microsecond() -> None:
    assert from_stamp(to_stamp(AT)) == AT


@pytest.mark.parametrize("text", ["plain", "阿里云", "caf\u00e9", "not utf-8: \udcff\udc80", ""])
def test_any_file_name_survives_a_column(text: str) -> None:
    assert text_out(text_in(text)) == text
