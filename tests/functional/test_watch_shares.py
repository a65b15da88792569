"""Hot folders on shares: answers that are not true, and reads and writes that fail for once."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedpix_pipe.store import ArrivalState, Verdict
from tests.functional.watching import Desk, arrivals

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("content", [b"the only copy", b""])
def test_a_move_that_is_done_and_reported_as_failed_loses_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """A share whose answer got lost is asked again, and then knows of no such file."""
    rename = Path.rename

    def lying(self: Path, target: Path) -> Path:
        new = rename(self, target)
        if Path(target).parent in {desk.done, desk.failed}:
            raise FileNotFoundError(2, "No such file or directory")
        return new

    monkeypatch.setattr(Path, "rename", lying)
    desk.drop("shoe.dat", content)
    outcome = desk.once()
    assert outcome.done + outcome.failed == 1
    (row,) = arrivals(desk)
    assert row.state is ArrivalState.PLACED
    assert row.bytes_path.read_bytes() == content


def test_a_file_that_is_taken_out_of_its_claim_leaves_no_empty_one_behind(desk: Desk) -> None:
    def step(name: str) -> None:
        if name == "move.reserved":
            desk.claims[0].unlink()

    desk.drop("shoe.dat")
    desk.once(step=step)
    assert [(row.state, row.verdict) for row in arrivals(desk)] == [(ArrivalState.PLACED, Verdict.DONE)]
    assert desk.names(desk.done) == []
