from __future__ import annotations

from speedpix_pipe.events import RunResumed
from speedpix_pipe.ui import follow
from speedpix_pipe.ui.follow import Follower

from .conftest import RUN


def followed(studio):
    studio.flush()
    follower = Follower(studio.store.journal, RUN, ["white", "looks", "sheet"])
    follower.advance()
    return follower


def test_counts_are_those_of_the_journal_and_grow_with_it(studio):
    studio.begin()
    studio.task("white", "a.jpg")
    studio.task("white", "b.jpg", ends="failed")
    studio.task("white", "c.jpg", ends="running")
    studio.task("white", "d.jpg", ends="waiting")
    follower = followed(studio)
    white = follower.now()["steps"]["white"]
    assert white == {"total": 4, "done": 2, "running": 1, "counts": {"succeeded": 1, "failed": 1}}
    assert [picture["task"] for picture in follower.now()["pictures"]] == ["white@a.jpg"]
    assert follower.now()["failures"][0]["message"] == "the workflow said no"
    version = follower.version
    follower.advance()
    assert follower.version == version
    studio.task("looks", "a.jpg")
    studio.flush()
    follower.advance()
    assert follower.version > version
    assert [picture["task"] for picture in follower.now()["pictures"]] == ["looks@a.jpg", "white@a.jpg"]


def test_a_long_journal_is_read_in_pieces(studio, monkeypatch):
    monkeypatch.setattr(follow, "PIECE", 5)
    studio.begin()
    for number in range(4):
        studio.task("white", f"{number}.jpg")
    follower = followed(studio)
    assert not follower.caught_up
    while not follower.caught_up:
        follower.advance()
    assert follower.now()["steps"]["white"]["done"] == 4


def test_a_resumed_run_is_counted_anew(studio):
    studio.begin()
    studio.task("white", "a.jpg")
    studio.emit(RunResumed, reason="--resume")
    studio.task("white", "a.jpg")
    assert followed(studio).now()["steps"]["white"]["total"] == 1


def test_tasks_are_found_by_step_status_and_text_in_pages(studio):
    studio.begin()
    for number in range(5):
        studio.task("white", f"cup-{number}.jpg", ends="failed" if number == 3 else "succeeded")
    studio.task("looks", "cup-1.jpg", ends="waiting")
    follower = followed(studio)

    def names(step="", status="", text="", start=0, count=2):
        found = follower.tasks(step=step, status=status, text=text, start=start, count=count)
        return [row["task"] for row in found["tasks"]], found["next"]

    assert names(step="white") == (["white@cup-0.jpg", "white@cup-1.jpg"], 2)
    assert names(step="white", start=4) == (["white@cup-4.jpg"], None)
    assert names(status="failed") == (["white@cup-3.jpg"], None)
    assert names(status="waiting") == (["looks@cup-1.jpg"], None)
    assert names(text="CUP-1") == (["white@cup-1.jpg", "looks@cup-1.jpg"], None)
