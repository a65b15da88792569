"""No text gives a traceback: examples with pieces cut, doubled, swapped and strewn with what YAML and Jinja2 dislike."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedpix_pipe.spec.build import has_errors, load_pipeline

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXTS = [path.read_bytes() for path in sorted(EXAMPLES.glob("*/*.yaml"))]
THORNS = [
    *("${{", "}}", "'", '"', "{", "}", "[", "]", "|", ">", "&a", "*a", "!x", " #", ": ", "- ", "\t", "\n", "\r\n"),
    *("null", "true", "017", "1e999", ".nan", "~", "<<: *a", "steps", "item", "阿", "\x00", "\x85", "\u2028", "\ufeff"),
    *(
        "%",
        "@",
        "`",
        "./",
        "~/",
        "~nobody/x",
        "| default(x)",
        "steps.white",
        "'${{'",
        "\\",
        "0x",
        "? ",
        "!!str",
        "---\n",
    ),
    *("9" * 500, "${{ 1/0 }}", "pipeline: ./x.yaml", "image: [strip]", "\udcff", "(", ")", "..", "=="),
]


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    text = draw(st.sampled_from(TEXTS)).decode("utf-8", "surrogateescape")
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 15)))
        kind = draw(st.sampled_from(["cut", "strew", "replace", "double", "indent"]))
        thorn = draw(st.sampled_from(THORNS))
        if kind == "cut":
            text = text[:start] + text[end:]
        elif kind == "strew":
            text = text[:start] + thorn + text[start:]
        elif kind == "replace":
            text = text[:start] + thorn + text[end:]
        elif kind == "double":
            text = text[:end] + text[start:]
        else:
            lines = text.split("\n")
            at = draw(st.integers(0, len(lines) - 1))
            lines[at] = " " * draw(st.integers(0, 6)) + lines[at].strip(" ")
            text = "\n".join(lines)
    return text.encode("utf-8", "surrogateescape")


def must_end_well(data: bytes) -> None:
    pipeline, problems = load_pipeline(
        EXAMPLES / "valid" / "mutant.yaml",
        shown="mutant.yaml",
        source=lambda path: data if path.name == "mutant.yaml" else path.read_bytes(),
    )
    assert pipeline is not None or has_errors(problems)
    for problem in problems:
        assert problem.message
        assert problem.line >= 1
        assert problem.width >= 1
        if problem.snippet is not None:
            assert 1 <= problem.column <= len(problem.snippet) + 1


@pytest.mark.slow
@given(mutants())
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_mutated_example_ends_in_a_pipeline_or_in_problems(data: bytes) -> None:
    must_end_well(data)


@pytest.mark.slow
@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_bytes_end_in_problems(data: bytes) -> None:
    must_end_well(data)


@pytest.mark.slow
@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_value_of_an_input_ends_well(value: str) -> None:
    must_end_well(
        ("apiVersion: speedpix-pipe/v1\nname: x\nsteps:\n  a:\n    workflow: w\n    input:\n      t: " + value).encode(
            "utf-8", "surrogatepass"
        )
    )
