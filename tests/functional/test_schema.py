"""`schema`: what editors are given is what specs are checked with."""

from __future__ import annotations

import json
from pathlib import Path

SCHEMA = Path(__file__).parents[2] / "schemas" / "pipeline.v1.schema.json"


def test_the_schema_of_the_package_is_printed(cli):
    ran = cli("schema")
    assert ran.code == 0
    assert json.loads(ran.out) == json.loads(SCHEMA.read_text("utf-8"))
