"""`schema`: what editors are given is what specs are checked with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schemas" / "pipeline.v1.schema.json"


def test_the_schema_of_the_package_is_printed(cli):
    ran = cli("schema")
    assert ran.code == 0
    assert json.loads(ran.out) == json.loads(SCHEMA.read_text("utf-8"))


def test_the_page_about_the_spec_is_what_the_schema_says():
    ran = subprocess.run(
        [sys.executable, ROOT / "_tools" / "spec_docs.py", "--check"], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def test_every_key_is_on_the_page_about_the_spec():
    schema = json.loads(SCHEMA.read_text("utf-8"))
    page = (ROOT / "docs" / "spec.md").read_text("utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    named = [schema, *schema["definitions"].values(), *schema["properties"].values()]
    elsewhere = {"max_age", "move"}  # said in the row of the key that holds them
    assert {key for one in named for key in one.get("properties", {})} - rows - elsewhere == set()
