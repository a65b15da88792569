"""The health file is written whatever has to be said in it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from speedpix_pipe.triggers.health import Health


def test_a_sentence_with_a_name_that_is_no_utf_8_is_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    health = Health(path, lambda: datetime(2026, 1, 1, tzinfo=UTC), lambda _: None)
    health.trouble("hang", "a look at " + os.fsdecode(b"caf\xe9") + " has not come back")
    health.write()
    assert "caf" in json.loads(path.read_text("utf-8"))["why"][0]
