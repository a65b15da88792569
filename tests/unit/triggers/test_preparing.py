"""The name of a watcher: made once, kept, and never empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedpix_pipe.triggers.preparing import watcher_id


def test_a_watcher_keeps_its_name(tmp_path: Path) -> None:
    name = watcher_id(tmp_path, tmp_path / "my shoes.yaml")
    assert name.startswith("my_shoes-")
    assert watcher_id(tmp_path, tmp_path / "my shoes.yaml") == name
    assert watcher_id(tmp_path, tmp_path / "other.yaml") != name


@pytest.mark.parametrize("content", [b"", b"\n", b"\0" * 14])
def test_a_name_that_a_power_cut_has_emptied_is_made_again(tmp_path: Path, content: bytes) -> None:
    """An empty one would mean the folder of all claims, and take those of everybody."""
    spec = tmp_path / "hot.yaml"
    watcher_id(tmp_path, spec)
    (path,) = (tmp_path / "watchers").iterdir()
    path.write_bytes(content)
    name = watcher_id(tmp_path, spec)
    assert name.startswith("hot-")
    assert watcher_id(tmp_path, spec) == name
