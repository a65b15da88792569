"""Small specs of scripted workflows, written by parts."""

from __future__ import annotations

from typing import Any

from tests.functional.scripted import Came

LISTS = "params: {a: {type: array, default: [p, q]}, b: {type: array, default: [p, q]}}\nsteps:\n"


def step(name: str, *lines: str, workflow: str = "") -> str:
    """A step with a workflow of its own, which answers `v` with the `x` that it got unless a script says otherwise."""
    return f"  {name}:\n    workflow: {workflow or name}\n" + "".join(f"    {line}\n" for line in lines)


def over(name: str, *lines: str, workflow: str = "", each: str = "params.a", x: str = "item") -> str:
    """A step over a list that sends one field, x."""
    return step(name, f"for_each: ${{{{ {each} }}}}", f'input: {{x: "${{{{ {x} }}}}"}}', *lines, workflow=workflow)


def single(name: str, x: str, *lines: str, workflow: str = "") -> str:
    return step(name, f'input: {{x: "${{{{ {x} }}}}"}}', *lines, workflow=workflow)


def fails_for(*values: Any, give: Any = None) -> list[dict[str, Any]]:
    return [*({"for": {"x": value}, "fail": "no luck"} for value in values), {"give": give or {"v": "{x}"}}]


def xs(came: Came, name: str) -> dict[str, Any]:
    return {key: sent["x"] for key, sent in came.inputs(name).items()}
