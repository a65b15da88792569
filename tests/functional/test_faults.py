"""Every fault at every call has its end: the matrix, and the bad days that need more than one task to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedpix_pipe.emulator.faults import FaultKind, Where
from tests.functional import fault_matrix
from tests.functional.faulty import Scene, emulator, hurried

DOCS = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
PAIRS = [(cell.where, cell.kind) for cell in fault_matrix.cells() if not cell.always]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service():
    with hurried(), emulator() as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("where", "kind"), PAIRS, ids=str)
def test_a_fault_at_a_call_comes_to_its_end(service, tmp_path: Path, where: Where, kind: FaultKind) -> None:
    wanted = fault_matrix.expected()
    for cell in (fault_matrix.Cell(where, kind, always) for always in (False, True)):
        scene = Scene(tmp_path / cell.name.replace(" ", "-"), service)
        assert (cell.name, fault_matrix.observed(scene, cell)) == (cell.name, wanted[cell.name])


def test_the_matrix_is_whole() -> None:
    assert set(fault_matrix.expected()) == {cell.name for cell in fault_matrix.cells()}


def test_nothing_is_paid_for_again_that_had_not_failed() -> None:
    for name, outcome in fault_matrix.expected().items():
        first, after = outcome.split(" -> ")
        if after.endswith("2 paid"):
            assert first.startswith("failed (task)"), name


def test_the_page_in_the_docs_is_this_matrix(golden) -> None:
    golden(DOCS, fault_matrix.document(fault_matrix.expected()))
