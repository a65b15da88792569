"""From a file to a Pipeline: defaults and precedence, pins, files in inputs, sub-pipelines, digests."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from speedpix_pipe.errors import Severity, SpecError
from speedpix_pipe.model import (
    CachePolicy,
    Expression,
    FileText,
    ListOf,
    Literal,
    MapOf,
    OnError,
    OnUnknownSubmit,
    Pipeline,
    Retry,
    Step,
    StepKind,
    Text,
)
from speedpix_pipe.spec.build import load_pipeline, require_pipeline

HEAD = "apiVersion: speedpix-pipe/v1\nname: example\n"


class Folder:
    """Specs in a folder, built on demand."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, text: str, name: str = "spec.yaml") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text, encoding="utf-8")
        return path

    def build(self, text: str) -> Pipeline:
        return require_pipeline(self.write(text), shown="spec.yaml")[0]

    def step(self, fields: str, before: str = "") -> Step:
        return self.build(f"{before}\nsteps:\n  a: {{{fields}}}\n").steps["a"]

    def codes(self, text: str, *, check_files: bool = True) -> list[str]:
        return [p.code for p in load_pipeline(self.write(text), shown="spec.yaml", check_files=check_files)[1]]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_is_not_written_is_built_in(folder: Folder) -> None:
    step = folder.step("workflow: wf")
    assert (step.kind, step.timeout_seconds, step.retry) == (StepKind.WORKFLOW, 1800.0, Retry(5, 1.0, 60.0, 0))
    assert (step.on_error, step.on_unknown_submit) == (OnError.CONTINUE, OnUnknownSubmit.HOLD)
    assert step.cache == CachePolicy(enabled=True, max_age_seconds=None)
    limits = folder.build("steps: {a: {workflow: wf}}").limits
    assert (limits.concurrency, limits.submitting, limits.rate_per_second, limits.max_cost) == (16, 32, None, None)


def test_step_wins_over_defaults_and_retry_merges_key_by_key(folder: Folder) -> None:
    defaults = (
        "defaults: {timeout: 1m30s, on_error: ignore, on_unknown_submit: resubmit, cache: {max_age: 7d},"
        " resource_config: fast, retry: {attempts: 4, backoff: 250ms, failed_task: 2}}"
    )
    plain = folder.step("workflow: wf", defaults)
    assert plain.timeout_seconds == 90.0
    assert plain.retry == Retry(4, 0.25, 60.0, 2)
    assert plain.cache.max_age_seconds == 604800.0
    assert (plain.on_error, plain.on_unknown_submit) == (OnError.IGNORE, OnUnknownSubmit.RESUBMIT)
    assert plain.resource_config == ("fast",)
    own = folder.step(
        "workflow: wf, timeout: 2h, on_error: stop, cache: false, retry: {failed_task: 0, max_backoff: 5s}", defaults
    )
    assert own.timeout_seconds == 7200.0
    assert own.retry == Retry(4, 0.25, 5.0, 0)
    assert own.cache == CachePolicy(enabled=False, max_age_seconds=None)
    assert own.on_error is OnError.STOP


def test_a_step_takes_its_pin_from_the_workflows_entry(folder: Folder) -> None:
    pipeline = folder.build(
        "workflows: {w: {id: wf-1, version: v3, price: 0.5}}\n"
        "steps: {a: {workflow: w}, b: {workflow: wf-2}, c: {workflow: wf-3, alias: beta, price: 2, cache: false}}"
    )
    releases = {
        name: (step.workflow.id, step.workflow.release) for name, step in pipeline.steps.items() if step.workflow
    }
    assert releases == {"a": ("wf-1", "version:v3"), "b": ("wf-2", "alias:main"), "c": ("wf-3", "alias:beta")}
    assert [step.price for step in pipeline.steps.values()] == [0.5, None, 2]


def test_an_alias_on_a_cached_step_is_a_warning_unless_results_age(folder: Folder) -> None:
    entry = "workflows: {w: {id: wf, alias: main}}\n"
    assert folder.codes(entry + "steps: {a: {workflow: w}, b: {workflow: w}}") == ["spec.alias-cached"]
    assert folder.codes(entry + "steps: {a: {workflow: w, cache: {max_age: 1d}}}") == []
    assert folder.codes(entry + "defaults: {cache: false}\nsteps: {a: {workflow: w}}") == []
    assert folder.codes("steps: {a: {workflow: w}}") == []


def test_fan_outs_are_told_apart_by_what_is_written(folder: Folder) -> None:
    steps = folder.build(
        "params: {p: {type: array, default: []}}\n"
        "steps:\n"
        "  a: {workflow: w, for_each: '${{ params.p }}'}\n"
        "  b: {workflow: w, for_each: '${{params.p}}'}\n"
        "  c: {workflow: w, for_each: [1, '${{ 1 + 1 }}']}\n"
        "  d: {workflow: w, for_each: [1, '${{1+1}}']}\n"
        "  e: {workflow: w, for_each: [1, 2]}\n"
        "  f: {workflow: w, for_each: [1.0, 2]}\n"
        "  g: {workflow: w, for_each: '${{ steps.a }}', matrix: {x: [1], y: '${{ params.p }}'}}\n"
    ).steps
    normal = {name: step.for_each_normal for name, step in steps.items()}
    assert normal["a"] == normal["b"] == "params.p"
    assert normal["c"] == normal["d"]
    assert len({normal[name] for name in "acefg"}) == 5
    assert steps["g"].chained_from == "a"
    assert [(axis.name, axis.normal) for axis in steps["g"].matrix] == [("x", "[1]"), ("y", "params.p")]
    assert steps["a"].chained_from is None


def test_texts_that_begin_like_paths_are_files(folder: Folder) -> None:
    (folder.path / "cup.jpg").touch()
    step = folder.step(
        "workflow: w, input: {a: ./cup.jpg, b: cup.jpg, c: [./cup.jpg], d: './${{ 1 }}.jpg', e: \"${{ './x' }}\", f: https://a/b}"
    )
    assert isinstance(step.input, MapOf)
    kinds = {entry.name: type(entry.value) for entry in step.input.entries}
    assert kinds == {"a": FileText, "b": Literal, "c": ListOf, "d": FileText, "e": Expression, "f": Literal}


def test_any_text_for_a_file_field_is_a_file_unless_it_is_a_url(folder: Folder) -> None:
    (folder.path / "cup.jpg").touch()
    contract = "workflows: {w: {id: wf, input: {a: {type: file}, b: {type: file}, c: {type: files}, d: {type: file}}}}"
    step = folder.step(
        "workflow: w, input: {a: cup.jpg, b: 'https://a/b', c: [cup.jpg], d: 'in-${{ 1 }}.jpg'}", contract
    )
    assert isinstance(step.input, MapOf)
    values = {entry.name: entry.value for entry in step.input.entries}
    assert isinstance(values["a"], FileText)
    assert isinstance(values["b"], Literal)
    assert isinstance(values["c"], ListOf)
    assert isinstance(values["c"].items[0], FileText)
    assert isinstance(values["d"], FileText)
    assert isinstance(values["d"].value, Text)


def test_files_are_only_looked_for_when_asked(folder: Folder) -> None:
    text = "steps: {a: {workflow: w, input: {a: ./no.jpg}}}"
    assert folder.codes(text) == ["spec.no-file"]
    assert folder.codes(text, check_files=False) == []


def test_values_without_expressions_stay_whole(folder: Folder) -> None:
    step = folder.step("workflow: w, input: {a: {b: [1, {c: text}]}, d: null}")
    assert isinstance(step.input, MapOf)
    assert [(e.name, e.value.value) for e in step.input.entries if isinstance(e.value, Literal)] == [
        ("a", {"b": [1, {"c": "text"}]}),
        ("d", None),
    ]


def test_watch_takes_one_folder_or_several(folder: Folder) -> None:
    before = "params: {p: {type: files}}\nsteps: {a: {workflow: w, input: {x: '${{ params.p }}'}}}\n"
    (one,) = folder.build(before + "watch: {folder: inbox, param: p, settle: 500ms, on_failure: {move: bad}}").watch
    assert (one.settle_seconds, one.batch.max_files, one.batch.max_wait_seconds) == (0.5, 50, 5.0)
    assert (one.patterns, one.on_success, one.on_failure) == (("*",), None, "bad")
    assert len(folder.build(before + "watch: [{folder: a, param: p}, {folder: b, param: p}]").watch) == 2


def test_limits_are_per_second(folder: Folder) -> None:
    for written, rate in [("20/s", 20.0), ("60/m", 1.0), ("1800/h", 0.5), ("0.5/s", 0.5)]:
        assert (
            folder.build(f"limits: {{rate: {written}}}\nsteps: {{a: {{workflow: w}}}}").limits.rate_per_second == rate
        )


def test_a_sub_pipeline_has_its_own_folder_and_names(folder: Folder) -> None:
    folder.write(
        "params: {p: {type: string}}\nsteps: {b: {workflow: w, input: {t: '${{ params.p }}'}}}\n", "parts/sub.yaml"
    )
    step = folder.step("pipeline: ./parts/sub.yaml, input: {p: x}")
    assert step.pipeline is not None
    assert step.pipeline.folder == folder.path / "parts"
    assert step.pipeline.shown == "parts/sub.yaml"


def test_problems_of_a_sub_pipeline_carry_its_name_and_come_once(folder: Folder) -> None:
    folder.write("steps: {b: {wrkflow: w}}\n", "parts/sub.yaml")
    path = folder.write("steps: {a: {pipeline: parts/sub.yaml}, b: {pipeline: ./parts/sub.yaml}}")
    problems = load_pipeline(path, shown="here/spec.yaml")[1]
    assert [str(p) for p in problems] == [f'{Path("here/parts/sub.yaml")}:3:13: unknown key "wrkflow" in step b']


def test_a_cycle_of_pipelines_names_its_way(folder: Folder) -> None:
    folder.write("steps: {b: {pipeline: ../spec.yaml}}\n", "parts/sub.yaml")
    path = folder.write("steps: {a: {pipeline: parts/sub.yaml}}")
    (problem,) = load_pipeline(path, shown="spec.yaml")[1]
    assert (problem.path, problem.message) == (
        "parts/sub.yaml",
        "cycle of pipelines: spec.yaml -> sub.yaml -> spec.yaml",
    )


def test_a_spec_may_come_from_elsewhere_and_is_read_once(folder: Folder) -> None:
    asked: list[Path] = []

    def source(path: Path) -> bytes:
        asked.append(path)
        if path.name == "spec.yaml":
            return (HEAD + "steps: {a: {pipeline: sub.yaml}, b: {pipeline: sub.yaml}}").encode()
        return (HEAD + "steps: {a: {workflow: old}}").encode()

    pipeline, problems = load_pipeline(folder.path / "spec.yaml", source=source)
    assert problems == []
    assert pipeline is not None
    assert sorted(path.name for path in asked) == ["spec.yaml", "sub.yaml"]


def test_the_digest_is_that_of_the_text_and_of_what_it_includes(folder: Folder) -> None:
    folder.write("steps: {b: {workflow: w}}\n", "sub.yaml")
    text = "steps: {a: {pipeline: sub.yaml}}\n"
    first = folder.build(text).digest
    assert folder.build(text).digest == first
    assert folder.build(text + "# more\n").digest != first
    folder.write("steps: {b: {workflow: v}}\n", "sub.yaml")
    assert folder.build(text).digest != first


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_file_that_cannot_be_read_is_a_problem(folder: Folder, name: str) -> None:
    pipeline, problems = load_pipeline(folder.path / name, shown=name)
    assert pipeline is None
    assert [p.code for p in problems] == ["spec.unreadable"]


def test_require_raises_with_all_problems_and_lets_warnings_pass(folder: Folder) -> None:
    pipeline, warnings = require_pipeline(folder.write("params: {p: {type: string}}\nsteps: {a: {workflow: w}}"))
    assert pipeline.params["p"].required
    assert [p.severity for p in warnings] == [Severity.WARNING]
    with pytest.raises(SpecError) as caught:
        require_pipeline(folder.write("limits: {rate: 5}\nsteps: {a: {workflow: w, timeout: 5}}"))
    assert len(caught.value.problems) == 2
    assert re.fullmatch(r"(.*spec\.yaml:\d+:\d+: .*\n?){2}", str(caught.value))


def test_a_spec_with_mistakes_still_gives_its_steps(folder: Folder) -> None:
    path = folder.write("steps: {a: {wrkflow: w, for_eahc: [1, 2]}, b: text}")
    pipeline, problems = load_pipeline(path)
    assert len(problems) == 3
    assert pipeline is not None
    assert list(pipeline.steps) == ["a", "b"]
    assert isinstance(pipeline.steps["a"].for_each, Literal)


def test_problems_come_in_the_order_of_the_file(folder: Folder) -> None:
    path = folder.write("limits: {rate: 5}\nsteps:\n  a: {workflow: w, when: '1 +', timeout: 3}\n  b: {wrkflow: w}\n")
    places = [(p.line, p.column) for p in load_pipeline(path)[1]]
    assert places == sorted(places)
    assert len(places) == 4


@pytest.mark.slow
def test_300_steps_are_loaded_within_their_budget(folder: Folder) -> None:
    steps = "".join(
        f"  s{i}:\n    workflow: relight\n    for_each: ${{{{ params.p }}}}\n    input:\n"
        f'      image: ${{{{ item }}}}\n      prompt: "look {i} for ${{{{ item.stem }}}}"\n'
        f"    retry: {{attempts: 3, backoff: 2s}}\n    save: out/s{i}/${{{{ item.stem }}}}.${{{{ ext }}}}\n"
        for i in range(300)
    )
    path = folder.write("params: {p: {type: files, default: 'in/*'}}\nsteps:\n" + steps)
    load_pipeline(path)
    best = min(_seconds_of(path) for _ in range(3))
    assert best < 0.3  # 0.07 s on a quiet machine; the benchmark holds the real limit


def _seconds_of(path: Path) -> float:
    began = time.process_time()
    assert load_pipeline(path)[1] == []
    return time.process_time() - began
