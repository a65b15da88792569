"""What the live page asks of the state folder, for as many runs as are shown."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace

import pytest

from speedpix_pipe.errors import UsageError
from speedpix_pipe.events import ItemFound
from speedpix_pipe.store import Store
from speedpix_pipe.ui import desk as desks
from speedpix_pipe.ui import follow
from speedpix_pipe.ui.desk import Desk

from .conftest import RUN, wait

RUNS = [f"run-{number}" for number in range(desks.MOST_FOLLOWED + 2)]


@pytest.fixture
def runs(studio):
    """More runs than are followed unasked, each with its first event."""
    studio.begin()
    studio.flush()
    first = studio.store.journal.started(RUN)
    for run in RUNS:
        wait(studio.store.journal.begin_run(replace(first, run_id=run)))
    return studio


@pytest.fixture
def desk(runs):
    made = Desk(runs.folder)
    yield made
    made.close()


def grow(studio, run, seq):
    item = ItemFound(run_id=run, seq=seq, at=studio.at, step="white", key=str(seq), item=None, order=(seq,))
    studio.store.journal.record(item)
    studio.flush()


def test_of_many_runs_in_turn_each_change_is_told(runs, desk):
    seen = {run: wait(desk.ask(desk.now, run, -1))[0] for run in RUNS}
    for run in RUNS:
        grow(runs, run, 2)
    for run in RUNS:
        version, state = wait(desk.ask(desk.now, run, seen[run]))
        assert state is not None
        assert state["steps"]["white"]["total"] == 1
        assert wait(desk.ask(desk.now, run, version)) == (version, None)


def test_of_many_long_runs_in_turn_each_is_read_to_its_end_while_a_page_shows_it(runs, desk, monkeypatch):
    monkeypatch.setattr(follow, "PIECE", 4)
    for run in RUNS:
        for seq in range(2, 8):
            grow(runs, run, seq)
    with ExitStack() as pages:
        for run in RUNS:
            pages.enter_context(desk.watching(run))
        for _look in range(2):
            states = [wait(desk.ask(desk.now, run, -1))[1] for run in RUNS]
    assert [(state["caught_up"], state["steps"]["white"]["total"]) for state in states] == [(True, 6)] * len(RUNS)
    wait(desk.ask(desk.now, RUN, -1))
    assert len(desk._followed) == desks.MOST_FOLLOWED  # nobody shows them any more


def test_a_state_folder_that_is_made_anew_is_read_anew(runs, desk):
    first = runs.store.journal.started(RUN)
    wait(desk.ask(desk.now, RUN, -1))
    runs.store.close()
    shutil.rmtree(runs.folder)
    assert wait(desk.ask(desk.runs)) == []
    with pytest.raises(UsageError, match="no run yet"):
        wait(desk.ask(desk.now, RUN, -1))
    with Store.open(runs.folder) as store:
        wait(store.journal.begin_run(replace(first, run_id="new")))
        assert [run["id"] for run in wait(desk.ask(desk.runs))] == ["new"]


def test_a_journal_that_was_mended_is_read_anew(runs, desk, tmp_path):
    wait(desk.ask(desk.now, RUN, -1))
    with Store.open(tmp_path / "mended") as store:
        wait(store.journal.begin_run(replace(runs.store.journal.started(RUN), steps=("other",))))
    (tmp_path / "mended" / "journal.db").replace(runs.folder / "journal.db")
    for beside in ("journal.db-wal", "journal.db-shm"):
        (runs.folder / beside).unlink(missing_ok=True)
    _, state = wait(desk.ask(desk.now, RUN, -1))
    assert list(state["steps"]) == ["other"]
