"""Writes docs/licences.md: what an installation brings along, and under which licence, from the packages' own metadata.

`python _tools/licences.py` writes, `--check` only compares. Versions are left out: the page tells names and licences.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
BEGIN, END = "<!-- packages -->", "<!-- end -->"
# Where metadata say it long or loosely. The key is what they say, the value its SPDX name.
SPOKEN = {
    "MIT License": "MIT",
    "The MIT License": "MIT",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "BSD": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "New BSD": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
}


def licence_of(found: Distribution) -> str:
    """The SPDX expression, else what the classifiers say, else the licence field if it is short."""
    meta = found.metadata
    expression = meta.get("License-Expression")
    if expression:
        return str(expression)
    named = [
        line.rpartition("::")[2].strip() for line in meta.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    said = [SPOKEN.get(name, name) for name in named if name != "OSI Approved"]
    short = (meta.get("License") or "").strip()
    if (not said or said == ["BSD"]) and short and "\n" not in short and len(short) < 60:
        said = [SPOKEN.get(short, short)]
    return " OR ".join(dict.fromkeys(said)) or "see the package"


def closure(requirements: Iterable[str]) -> Iterator[tuple[str, Distribution]]:
    """The packages that these need, and what those need, by name."""
    found: dict[str, Distribution] = {}
    todo = [Requirement(text) for text in requirements]
    while todo:
        wanted = todo.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is not installed: make setup, and make docs") from None
        extras = wanted.extras
        for line in found[name].requires or []:
            inner = Requirement(line)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                todo.append(inner)
    yield from sorted(found.items())


def declared() -> dict[str, list[str]]:
    """What the project asks for: plain, and by extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def table() -> str:
    wanted = declared()
    plain = dict(closure(wanted.pop("")))
    lines = ["| package | licence | comes with |", "|---|---|---|"]
    rows = {name: (found, "every installation") for name, found in plain.items()}
    for extra, requirements in wanted.items():
        for name, found in closure(requirements):
            if name not in plain:
                before = rows.get(name)
                rows[name] = (found, f"{before[1]}, `{extra}`" if before else f"`{extra}`")
    order = sorted(rows, key=lambda name: (name not in plain, name))
    lines += [f"| {name} | {licence_of(rows[name][0])} | {rows[name][1]} |" for name in order]
    return "\n".join(lines)


def renewed(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = PAGE.read_text("utf-8")
    fresh = renewed(text)
    if parser.parse_args().check:
        if fresh != text:
            print("docs/licences.md is stale: run python _tools/licences.py", file=sys.stderr)
        return int(fresh != text)
    PAGE.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
