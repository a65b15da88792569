"""What a command that works for long does first."""

from __future__ import annotations

import ctypes
import gc

import pytest

from speedpix_pipe.cli.running import look_after_memory


class _Libc:
    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def mallopt(self, what: int, value: int) -> int:
        self.asked.append((what, value))
        return 1


@pytest.fixture(autouse=True)
def _the_collector_as_it_was():
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_all_threads_take_memory_from_one_heap(monkeypatch):
    libc = _Libc()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: libc)
    look_after_memory()
    assert libc.asked == [(-8, 1)]  # M_ARENA_MAX of glibc


def test_another_c_library_keeps_its_own_way(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    look_after_memory()
    assert gc.get_freeze_count() > 0
