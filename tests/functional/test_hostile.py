"""Specs that are meant to hang or fill a machine: the real process says so in a moment, in little memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SECONDS = 3  # of the processor; alone on a quiet machine each takes less than two
MEGABYTES = 300
HEAD = "apiVersion: speedpix-pipe/v1\nname: hostile\n"


def steps(*inputs: str) -> str:
    lines = [
        f"  s{n}: {{workflow: w, input: {{a: {json.dumps(text)}}}, save: out/{n}.png}}\n"
        for n, text in enumerate(inputs)
    ]
    return HEAD + "steps:\n" + "".join(lines)


def nested(depth: int, width: int) -> str:
    names = [f"x-{n}" for n in range(depth)]
    lines = [f"{names[0]}: &a0 [{', '.join(['x'] * width)}]\n"]
    lines += [f"{name}: &a{n + 1} [{', '.join([f'*a{n}'] * width)}]\n" for n, name in enumerate(names[1:])]
    return HEAD + "".join(lines) + "steps: {a: {workflow: w}}\n"


REFUSED: dict[str, Callable[[], str]] = {
    "a range of 10**12": lambda: steps("${{ range(10**12) }}"),
    "a text of 10**10 signs": lambda: steps("${{ 'x' * 10**10 }}"),
    "a tower of powers": lambda: steps("${{ 9**(9**(9**9)) }}"),
    "many lists joined": lambda: steps(*["${{ range(9999999) | map('string') | join(',') }}"] * 30),
    "lists of lists": lambda: steps(*["${{ [range(10000000) | list] * 100 }}"] * 30),
    "a sum of 200,000 terms": lambda: steps("${{ " + "1 + " * 200_000 + "1 }}"),
    "hundreds of long sums": lambda: steps(*["${{ " + f"{n} + " * 2_000 + "1 }}" for n in range(500)]),
    "5,000 brackets": lambda: steps("${{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"),
    "thousands of different expressions": lambda: steps(
        *[f"${{{{ ({n} + 1) * 2 if {n} > 3 else 'b' }}}}" for n in range(12_000)]
    ),
    "thousands of expressions in one text": lambda: steps("".join(f"${{{{ {n} + 1 }}}}" for n in range(20_000))),
    "10 MB": lambda: HEAD + f"description: '{'x' * 10_000_000}'\nsteps: {{a: {{workflow: w}}}}\n",
    "four million values": lambda: HEAD + "x-a: [" + "1," * 3_900_000 + "1]\nsteps: {a: {workflow: w}}\n",
    "a million brackets": lambda: HEAD + "x-a: " + "[" * 1_000_000 + "\nsteps: {a: {workflow: w}}\n",
    "aliases of aliases": lambda: nested(12, 9),
    "thousands of wrong keys": lambda: HEAD + "steps:\n" + "".join(f"  s{n}: {{wrkflow: w}}\n" for n in range(15_000)),
    "thousands of unknown steps": lambda: steps(*[f"${{{{ steps.nobody{n}.output }}}}" for n in range(6_000)]),
    "a matrix of 8**12": lambda: (
        HEAD
        + "steps:\n  s:\n    workflow: w\n    matrix: {"
        + ", ".join(f"a{n}: [1, 2, 3, 4, 5, 6, 7, 8]" for n in range(12))
        + "}\n"
    ),
    "a NUL": lambda: HEAD + "steps: {a: {workflow: 'w\0'}}\n",
    "a pattern that backtracks": lambda: (
        HEAD
        + "params: {p: {type: string, pattern: '(a+)+$', default: '"
        + "a" * 40
        + "!'}}\nsteps: {a: {workflow: w, input: {p: '${{ params.p }}'}}}\n"
    ),
    "a seed from ten million numbers": lambda: steps("${{ stable_seed(range(10000000)) }}"),
    "a text with thousands of wrong expressions": lambda: (
        HEAD
        + "steps:\n  s:\n    workflow: w\n    input:\n      a: >\n"
        + "".join(f"        word ${{{{ nope{n} }}}} more\n" for n in range(5_000))
    ),
    "nothing but line ends": lambda: HEAD + "\r" * 7_000_000 + "steps: {a: {workflow: w, inpt: 1}}\n",
    "a cycle of thousands": lambda: (
        HEAD + "steps:\n" + "".join(f"  s{n}: {{workflow: w, needs: [s{(n + 1) % 4999}]}}\n" for n in range(4_999))
    ),
    "tens of thousands of outputs": lambda: (
        HEAD
        + "steps: {a: {workflow: w}}\noutputs:\n"
        + "".join(f"  o{n}: ${{{{ steps.a.output }}}}\n" for n in range(95_000))
    ),
    "a hundred thousand tasks with one path": lambda: (
        HEAD + 'steps:\n  s: {workflow: w, for_each: "${{ range(100000) }}", input: {a: "${{ item }}"}, save: o.png}\n'
    ),
    "merges of a long mapping": lambda: (
        HEAD
        + "x-a: &a {"
        + ", ".join(f"k{n}: 1" for n in range(5_000))
        + "}\nx-b: ["
        + ", ".join(["{<<: *a}"] * 50_000)
        + "]\nsteps: {a: {workflow: w}}\n"
    ),
    "a way out of the sandbox": lambda: steps("${{ ''.__class__.__mro__[1].__subclasses__() }}"),
}
# Large, yet nothing is wrong with them: they end as quickly.
ALLOWED: dict[str, Callable[[], str]] = {
    "a fan-out of a million": lambda: HEAD + 'steps:\n  s: {workflow: w, for_each: "${{ range(1000000) }}", input: {a: "${{ item }}"}, save: "o/${{ item }}.png"}\n',
    "a hundred steps of a million tasks": lambda: HEAD + 'steps:\n  s0: {workflow: w, for_each: "${{ range(900000) }}", input: {a: "${{ item }}"}}\n' + "".join(f'  s{n + 1}: {{workflow: w, for_each: "${{{{ steps.s{n} }}}}", input: {{a: "${{{{ steps.s{n}.output }}}}"}}, save: "o{n}/${{{{ item }}}}"}}\n' for n in range(100)),
    "slow expressions for each of many": lambda: HEAD + 'steps:\n  s: {workflow: w, for_each: "${{ range(100000) }}", input: {a: "${{ range(item * 99) | map(\'string\') | join }}"}, save: "o/${{ item }}.png"}\n',
    "a matrix of 190,000": lambda: HEAD + "steps: {s: {workflow: w, matrix: {m: [" + ",".join(map(str, range(190_000))) + ']}, input: {a: "${{ matrix.m }}"}, save: "o/${{ matrix.m }}.png"}}\n',
    "as many steps as there can be": lambda: HEAD + "steps:\n" + "".join(f"  s{n}: {{workflow: w, input: {{a: 1}}, save: o/{n}.png}}\n" for n in range(5_000)),
    "a chain of 3,000 steps": lambda: HEAD + "steps:\n  s0: {workflow: w}\n" + "".join(f'  s{n + 1}: {{workflow: w, for_each: "${{{{ steps.s{n} }}}}"}}\n' for n in range(3_000)),
}  # fmt: skip


def looked_at(folder: Path, text: str, *command: str) -> tuple[int, str, float, float]:
    """Exit code, stdout, seconds of the processor and megabytes of the whole process."""
    (folder / "hostile.yaml").write_text(text, encoding="utf-8")
    watcher = (
        "import json, resource, subprocess, sys\n"
        f"done = subprocess.run([sys.executable, '-m', 'speedpix_pipe', *{command!r}],"
        " capture_output=True, timeout=60)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([done.returncode, done.stdout.decode(), done.stderr.decode(),"
        " used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))\n"
    )

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    done = subprocess.run(
        [sys.executable, "-c", watcher], cwd=folder, capture_output=True, check=True, preexec_fn=limited
    )
    code, out, err, seconds, megabytes = json.loads(done.stdout)
    assert "Traceback" not in err, err
    assert "this is a bug" not in err, err
    return code, out, seconds, megabytes


def validated(folder: Path, text: str) -> tuple[int, list[dict[str, object]], float, float]:
    code, out, seconds, megabytes = looked_at(folder, text, "validate", "hostile.yaml", "--json")
    return code, json.loads(out), seconds, megabytes


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_spec_ends_in_a_problem(name: str, tmp_path: Path) -> None:
    code, problems, seconds, megabytes = validated(tmp_path, REFUSED[name]())
    assert code == 2
    assert [problem for problem in problems if problem["severity"] == "error"]
    assert seconds < SECONDS
    assert megabytes < MEGABYTES


@pytest.mark.parametrize("name", ALLOWED)
def test_a_large_spec_is_looked_at_in_part(name: str, tmp_path: Path) -> None:
    code, problems, seconds, megabytes = validated(tmp_path, ALLOWED[name]())
    assert (code, [problem for problem in problems if problem["severity"] == "error"]) == (0, [])
    assert seconds < SECONDS
    assert megabytes < MEGABYTES


@pytest.mark.parametrize("name", ["many lists joined", "lists of lists", "a matrix of 8**12"])
@pytest.mark.parametrize("command", [("plan", "hostile.yaml"), ("run", "hostile.yaml", "--local")], ids=lambda c: c[0])
def test_plan_and_run_lose_patience_with_what_is_wrong_too(name: str, command: tuple[str, ...], tmp_path: Path) -> None:
    code, out, seconds, megabytes = looked_at(tmp_path, REFUSED[name](), *command)
    assert (code, out) == (2, "")
    assert seconds < SECONDS + 1  # a run brings an emulator
    assert megabytes < MEGABYTES


@pytest.mark.parametrize("name", ["as many steps as there can be", "a chain of 3,000 steps"])
def test_a_plan_of_many_steps_takes_no_time_for_each_pair_of_them(name: str, tmp_path: Path) -> None:
    code, _, seconds, _ = looked_at(tmp_path, ALLOWED[name](), "plan", "hostile.yaml", "--json")
    assert code == 0
    assert seconds < SECONDS + 1
