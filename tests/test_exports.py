"""What a module says it exports is there, and a package's face names everything that it gathers."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import speedpix_pipe

FACES = {f"speedpix_pipe.{room}" for room in ("sdk", "store", "summary", "files", "emulator")}
ROOT = Path(speedpix_pipe.__file__).parent


def modules():
    for found in pkgutil.walk_packages([str(ROOT)], "speedpix_pipe."):
        path = ROOT.parent / Path(*found.name.split("."))
        source = path / "__init__.py" if found.ispkg else path.with_suffix(".py")
        if "__all__" in source.read_text("utf-8"):
            yield pytest.param(found.name, source, id=found.name)


@pytest.mark.parametrize(("name", "source"), list(modules()))
def test_all_is_true(name, source):
    module = importlib.import_module(name)
    exported = module.__all__
    assert len(set(exported)) == len(exported)
    assert [entry for entry in exported if not hasattr(module, entry)] == []
    if name in FACES:  # others gather modules into a table, which is all that they show
        tree = ast.parse(source.read_text("utf-8"))
        gathered = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(name)
            for alias in node.names
        }
        assert sorted(gathered - set(exported) - {"annotations"}) == []
