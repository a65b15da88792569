"""Pipelines of given sizes, for `speedpix-pipe` and for the engines beside it."""

from __future__ import annotations

from pathlib import Path

HEAD = """\
apiVersion: speedpix-pipe/v1
name: bench
workflows:
  w: {id: w}
steps:
"""
ENVIRONMENT = {"SPEEDPIX_APP_KEY": "k", "SPEEDPIX_APP_SECRET": "s", "SPEEDPIX_ENDPOINT": "http://127.0.0.1:9"}


def fan(count: int, *, save: bool = False) -> str:
    line = '    save: "out/${{ item }}.${{ ext }}"\n' if save else ""
    return f"{HEAD}  one:\n    workflow: w\n    for_each: ${{{{ range({count}) }}}}\n    input: {{n: '${{{{ item }}}}'}}\n{line}"


def two_steps(count: int) -> str:
    second = "  two:\n    workflow: w\n    for_each: ${{ steps.one }}\n    input: {n: '${{ steps.one.output.n }}', again: true}\n"
    return fan(count) + second


def chain(count: int) -> str:
    steps = ["  s0:\n    workflow: w\n    input: {n: 0}\n"]
    steps += [
        f"  s{at}:\n    workflow: w\n    input: {{n: '${{{{ steps.s{at - 1}.output.n }}}}'}}\n"
        for at in range(1, count)
    ]
    return HEAD + "".join(steps)


def many_steps(count: int) -> str:
    """Steps that know nothing of each other, each with a few words of its own."""
    step = "  s{at}:\n    workflow: w\n    timeout: 5m\n    input: {{n: {at}, text: 'number {at} of ${{{{ run.date }}}}'}}\n"
    return HEAD + "".join(step.format(at=at) for at in range(count))


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.yaml"
    path.write_text(text, "utf-8")
    return path
