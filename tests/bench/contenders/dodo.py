"""The same for doit: `DODO_SHAPE=fan DODO_COUNT=300 doit -f dodo.py`. A task that ran once is up to date."""

from __future__ import annotations

import os

from doit.tools import run_once

DOIT_CONFIG = {"verbosity": 0, "reporter": "zero", "dep_file": os.environ["DODO_STATE"]}
COUNT = int(os.environ["DODO_COUNT"])


def nothing(number):
    return {"n": number}


def one_more(n):
    return {"n": n + 1}


def task_one():
    for number in range(COUNT):
        task = {"name": str(number), "actions": [(nothing, [number])], "uptodate": [run_once]}
        if os.environ["DODO_SHAPE"] == "chain" and number:  # each works on what the one before gave
            before = f"one:{number - 1}"
            task |= {"actions": [one_more], "getargs": {"n": (before, "n")}, "task_dep": [before]}
        yield task
