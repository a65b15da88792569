"""The same for doit: `DODO_SHAPE=fan DODO_COUNT=300 doit -f dodo.py`. A task that ran once is up to date.

What a task gives is a value that doit keeps in its own database, all at once at the end; with `DODO_FILES`, a folder, it
is a file of its own there, as doit's users have it and as each of our results is on disk when its task has ended.
"""

from __future__ import annotations

import os
from pathlib import Path

from doit.tools import run_once

DOIT_CONFIG = {"verbosity": 0, "reporter": "zero", "dep_file": os.environ["DODO_STATE"]}
COUNT = int(os.environ["DODO_COUNT"])
CHAIN = os.environ["DODO_SHAPE"] == "chain"
FILES = os.environ.get("DODO_FILES")


def nothing(number):
    return {"n": number}


def one_more(n):
    return {"n": n + 1}


def kept(target, before):
    Path(target).write_text(str(int(Path(before).read_text()) + 1 if before else 0))


def task_one():
    for number in range(COUNT):
        before = number - 1 if CHAIN and number else None
        yield with_files(number, before) if FILES else with_values(number, before)


def with_values(number, before):
    task = {"name": str(number), "actions": [(nothing, [number])], "uptodate": [run_once]}
    if before is not None:  # each works on what the one before gave
        task |= {"actions": [one_more], "getargs": {"n": (f"one:{before}", "n")}, "task_dep": [f"one:{before}"]}
    return task


def with_files(number, before):
    target, dependency = (None if n is None else f"{FILES}/{n}" for n in (number, before))
    task = {"name": str(number), "actions": [(kept, [target, dependency])], "targets": [target]}
    return task | ({"file_dep": [dependency]} if dependency else {"uptodate": [run_once]})
