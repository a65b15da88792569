"""What a benchmark prints and keeps: a table, its verdicts against the targets, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what was measured beside what was wished for."""

    what: str
    measured: float
    wanted: float
    unit: str = "x"
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        word = "met   " if self.met else "MISSED"
        return f"  {word}  {self.what}: {self.measured:.4g} {self.unit} (target {sign} {self.wanted:g} {self.unit})"


@dataclass(slots=True)
class Report:
    """The tables and verdicts of one script, printed as they come."""

    name: str
    smoke: bool = False
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def table(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        listed = self.tables[title] = [dict(row) for row in rows]
        print(f"\n{title}")
        names = list(listed[0])
        cells = [names, *([_shown(row.get(name)) for name in names] for row in listed)]
        widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
        for line in cells:
            first, *rest = (
                cell.ljust(w) if at == 0 else cell.rjust(w)
                for at, (cell, w) in enumerate(zip(line, widths, strict=True))
            )
            print("  " + "  ".join([first, *rest]))

    def judge(self, *verdicts: Verdict) -> None:
        for verdict in verdicts:
            self.verdicts.append(verdict)
            print(verdict, flush=True)

    def save(self) -> None:
        """As JSON, beside the earlier ones of its name. A smoke run says nothing about speed and is not kept."""
        if self.smoke:
            return
        RESULTS.mkdir(exist_ok=True)
        whole = {
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "load": os.getloadavg()[0],
            "tables": self.tables,
            "verdicts": [{**asdict(verdict), "met": verdict.met} for verdict in self.verdicts],
        }
        (RESULTS / f"{self.name}.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
