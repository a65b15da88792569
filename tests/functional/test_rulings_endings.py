"""How the language is to be read where it could be read in two ways: waiting, skipping, failing, stopping; and values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.functional.scripted import HEAD
from tests.functional.specs_by_parts import LISTS, fails_for, over, single, step, xs

pytestmark = pytest.mark.slow


# --- 13 to 16: waiting, skipping, failing ---


def test_a_task_refers_to_what_its_expressions_name_whichever_way_they_go(go: Any) -> None:
    came = go(
        LISTS
        + over("bad", workflow="bad")
        + over("fine")
        + over("either", x="steps.fine.output.v if true else steps.bad.output.v")
        + over("even_key", x="steps.fine.output.v or steps.bad.key"),
        {"bad": fails_for("p")},
    )
    assert came.of("either") == came.of("even_key") == {"p": "skipped", "q": "succeeded"}


def test_when_comes_first_and_is_touched_only_by_what_it_refers_to(go: Any) -> None:
    came = go(
        LISTS
        + over("bad", workflow="bad")
        + over("off", "when: item == 'q'", x="[steps.bad.output.v, item.nothing.at_all if item == 'p' else 1]")
        + over("after_off", each="steps.off", x="index"),
        {"bad": fails_for("p")},
    )
    assert came.reasons["off@p"] == "`when` is false"
    assert came.of("off") == {"p": "skipped", "q": "succeeded"}
    # Skipped by `when`, not by the failure: whoever follows it is merely skipped.
    assert came.reasons["after_off@p"] == "off@p has no output"


def test_what_a_when_may_keep_from_being_rendered_is_no_error_before_the_run(go: Any) -> None:
    came = go(
        "params: {a: {type: array, default: [{name: k, t: hello}, {name: l}]}}\nsteps:\n"
        + over("one", "when: item.t is defined", x="item.t")
        + over("two", each="steps.one", x="item.t ~ '!'")
        + over("three", 'matrix: {n: "${{ [item.t] }}"}', each="steps.one", x="matrix.n")
    )
    assert came.exit_code == 0
    assert xs(came, "two") == {"k": "hello!"}
    assert came.of("three") == {"k,n=hello": "succeeded", "l": "skipped"}


@pytest.mark.parametrize("value", ["'yes'", "null", "[]", "1"])
def test_a_when_that_is_neither_true_nor_false_fails_the_task(go: Any, value: str) -> None:
    came = go("steps:\n" + single("one", value) + single("two", "1", "when: steps.one.output.v"))
    assert came.of("two") == {"": "failed"}
    assert "must be true or false" in came.reasons["two@"]
    assert came.exit_code == 1


def test_a_skip_by_a_failure_counts_as_that_failure_whatever_its_own_on_error(go: Any) -> None:
    came = go(
        LISTS
        + over("bad", workflow="bad")
        + over("lax", "on_error: ignore", x="steps.bad.output.v")
        + over("after", x="steps.lax.output.v | default('none')")
        + single("all", "steps.lax.outputs"),
        {"bad": fails_for("p")},
    )
    assert came.of("lax") == came.of("after") == {"p": "skipped", "q": "succeeded"}
    assert came.of("all") == {"": "skipped"}
    assert "bad@p failed" in came.reasons["after@p"]


def test_where_a_skip_and_a_failure_meet_the_failure_counts(go: Any) -> None:
    came = go(
        LISTS
        + over("off", "when: item == 'q'")
        + over("bad", workflow="bad")
        + over("both", x="[steps.off.output.v, steps.bad.output.v]")
        + over("after", x="steps.both.output.v | default('none')")
        + over("only_off", x="steps.off.output.v")
        + over("after_off", x="steps.only_off.output.v | default('none')"),
        {"bad": fails_for("p")},
    )
    assert came.of("both")["p"] == "skipped"
    assert "bad@p failed" in came.reasons["both@p"]
    assert came.of("after") == {"p": "skipped", "q": "succeeded"}
    assert xs(came, "after_off") == {"p": "none", "q": "q"}


def test_an_undefined_of_a_task_without_output_skips_any_other_fails(go: Any) -> None:
    came = go(
        LISTS
        + over("off", "when: item == 'q'")
        + over("skips", x="steps.off.output.v.w | default(steps.off.output.z)")
        + over(
            "fails",
            each="params.a",
            x="steps.off.output.nowhere | default(1) if item == 'p' else steps.off.output.nowhere",
        )
        + over("known", x="[steps.off.item, steps.off.index, steps.off.key]")
        + over("no_file", "when: item == 'q'", x="steps.off.file")
    )
    assert came.of("skips") == {"p": "skipped", "q": "failed"}
    assert came.of("fails") == {"p": "succeeded", "q": "failed"}
    assert xs(came, "known") == {"p": ["p", 0, "p"], "q": ["q", 1, "q"]}
    assert came.of("no_file") == {"p": "skipped", "q": "failed"}


def test_an_undefined_that_depends_on_no_output_is_an_error_before_anything_is_sent(go: Any) -> None:
    came = go(LISTS + over("one") + over("two", each="params.b", x="item.nowhere"))
    assert came.exit_code == 2
    assert came.submitted == 0
    assert came.errors[0].startswith("pipeline.yaml:12:17")


def test_an_undefined_in_a_condition_that_depends_on_no_output_is_one_too(go: Any) -> None:
    came = go(LISTS + over("one") + over("two", "when: item.nowhere.at_all", each="params.b", x="1"))
    assert came.exit_code == 2
    assert came.submitted == 0


# --- 17 to 19: stand-ins, gathers of nothing, counts ---


def test_a_list_without_its_origins_output_stands_as_one_skipped_task_times_the_matrix(go: Any) -> None:
    came = go(
        LISTS
        + over("off", "when: item == 'q'", x="[item]")
        + over("flat", "matrix: {n: [1, 2]}", each="steps.off.output.v", x="item")
        + over("flatter", each="steps.flat.output.v", x="item")
        + single("all", "steps.flat.tasks | map(attribute='key')")
    )
    assert came.of("flat") == {
        "p,n=1": "skipped",
        "p,n=2": "skipped",
        "q/0,n=1": "succeeded",
        "q/0,n=2": "succeeded",
    }
    assert came.of("flatter") == {
        "p,n=1": "skipped",
        "p,n=2": "skipped",
        "q/0,n=1": "failed",  # the output is a text, and a text is no list
        "q/0,n=2": "failed",
    }
    assert xs(came, "all") == {"": ["q/0,n=1", "q/0,n=2"]}


def test_a_stand_in_passes_on_a_failure(go: Any) -> None:
    came = go(
        LISTS
        + over("bad", workflow="bad", x="item")
        + over("flat", each="steps.bad.output.v", x="item")
        + over("per", each="steps.bad", x="steps.flat.outputs")
        + single("plain", "[1]", workflow="never")
        + over("nothing", each="steps.plain.outputs", x="item")
        + single("all", "steps.nothing.outputs"),
        {"bad": fails_for("p", give={"v": ["{x}"]}), "never": [{"fail": "never"}]},
    )
    assert came.of("flat") == {"p": "skipped", "q/0": "succeeded"}
    assert came.of("per") == {"p": "skipped", "q": "succeeded"}
    assert came.of("nothing") == came.of("all") == {"": "skipped"}
    assert came.summary is not None
    assert came.summary.to_json()["tasks"] == {
        "total": 9, "succeeded": 3, "cached": 0, "failed": 2, "skipped": 4, "cancelled": 0, "unknown": 0,
    }  # fmt: skip


@pytest.mark.parametrize("value", ["'text'", "5", "null", "{'a': 1}"])
def test_what_is_no_list_stands_as_one_failed_task(go: Any, value: str) -> None:
    came = go(
        "steps:\n"
        + single("one", value)
        + over("two", "matrix: {n: [1, 2]}", each="steps.one.output.v", x="item")
        + over("three", "on_error: ignore", each="steps.one.output.v.w", x="item")
        + over("four", each="steps.three", x="1")
    )
    assert came.of("two") == {"n=1": "failed", "n=2": "failed"}
    assert came.of("three") == {"": "failed"}
    assert came.of("four") == {"": "skipped"}
    assert came.exit_code == 1


def test_what_shares_a_list_that_one_step_cannot_key_does_not_wait_for_ever(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "[{'a': 1}, {'a': 2}]")
        + over("nameless", each="steps.one.output.v", x="item.a")
        + over("keyed", 'key: "${{ item.a }}"', each="steps.one.output.v", x="steps.nameless.output.v | default(0)")
        + over("gathered", 'key: "${{ item.a }}"', each="steps.one.output.v", x="steps.nameless.outputs")
    )
    assert came.of("nameless") == {"0": "succeeded", "1": "succeeded"}  # flat-mapped: keys are positions
    came = go(
        "steps:\n"
        + step("one", 'input: {x: "${{ matrix.n }}"}', "matrix: {n: [1, 2]}", workflow="rows")
        + over("nameless", each="steps.one.outputs", x="item.a")
        + over("keyed", 'key: "${{ item.a }}"', each="steps.one.outputs", x="steps.nameless.output.v | default(0)")
        + over("gathered", 'key: "${{ item.a }}"', each="steps.one.outputs", x="steps.nameless.outputs"),
        {"rows": [{"give": {"a": "{x}"}}]},
    )
    assert came.of("nameless") == {"": "failed"}
    assert came.of("keyed") == came.of("gathered") == {"1": "skipped", "2": "skipped"}


def test_tasks_without_files_give_an_empty_list_and_the_step_runs(go: Any) -> None:
    came = go(LISTS + over("one") + single("all", "steps.one.files") + single("off", "1", "when: false")
              + single("none", "steps.off.files"))  # fmt: skip
    assert xs(came, "all") == {"": []}
    assert came.of("none") == {"": "skipped"}


def test_ignored_failures_are_counted_and_do_not_fail_the_run(go: Any) -> None:
    came = go(LISTS + over("one", "on_error: ignore", workflow="bad"), {"bad": fails_for("p")})
    assert came.summary is not None
    assert came.summary.to_json()["tasks"]["failed"] == 1
    assert came.exit_code == 0


# --- 20 to 24: values ---


def test_white_space_around_the_only_expression_does_not_count(go: Any) -> None:
    came = go("steps:\n" + step("one", 'input:\n      x: " ${{ [1, 2] }}\\n"\n      y: |\n        ${{ 7 }}'))
    assert came.inputs("one") == {"": {"x": [1, 2], "y": 7}}


def test_when_is_written_with_or_without_delimiters_and_never_inside_a_text(go: Any) -> None:
    came = go(LISTS + over("one", "when: ${{ item == 'p' }}") + over("two", "when: item == 'p'"))
    assert came.of("one") == came.of("two") == {"p": "succeeded", "q": "skipped"}
    assert go(LISTS + over("one", "when: yes ${{ item == 'p' }}")).exit_code == 2


def test_only_fields_of_the_input_itself_are_left_out_when_null(go: Any) -> None:
    came = go("steps:\n" + step("one", 'input: {x: null, y: [null, 1], z: {a: null}, w: "${{ null }}"}'))
    assert came.inputs("one") == {"": {"y": [None, 1], "z": {"a": None}}}


def test_files_of_an_output_count_in_its_order_and_a_preview_is_none(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "1", "return_temp_files: true", workflow="pictures")
        + step("two", 'input: {first: "${{ steps.one.file }}", all: "${{ steps.one.files | length }}", '
               'url: "${{ steps.one.output.b.url }}"}'),
        {"pictures": [{"give": {"b": {"picture": "bb"}, "a": [{"picture": "aa"}], "n": 3}}]},
    )  # fmt: skip
    sent = came.inputs("two")[""]
    assert sent["all"] == 2
    assert sent["first"] == sent["url"] == came.urls["one@"]


def test_files_inside_tasks_offer_the_names_of_a_file_and_items_without_for_each_are_null(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "1", workflow="pictures")
        + step("two", 'input: {wide: "${{ steps.one.tasks[0].files[0].width }}", '
               'sha: "${{ steps.one.tasks[0].files[0].sha256 == steps.one.file.sha256 }}", '
               'item: "${{ steps.one.tasks[0].item is none }}", index: "${{ steps.one.tasks[0].index is none }}"}'),
        {"pictures": [{"give": {"p": {"picture": "aa"}}}]},
    )  # fmt: skip
    assert came.inputs("two") == {"": {"wide": 8, "sha": True, "item": True, "index": True}}


def test_pairs_of_zip_are_lists_and_unequal_lengths_are_an_error(go: Any) -> None:
    came = go("steps:\n" + single("one", "zip([1, 2], ['a', 'b'])"))
    assert xs(came, "one") == {"": [[1, "a"], [2, "b"]]}
    assert go("steps:\n" + single("one", "zip([1, 2], ['a'])")).exit_code == 2


# --- on_error: stop ---


def test_on_error_stop_submits_nothing_more_and_leaves_the_run_resumable(go: Any) -> None:
    came = go(
        "params: {a: {type: array, default: [a, b, c, d]}}\nsteps:\n"
        + over("one", "on_error: stop", workflow="bad")
        + over("two", each="steps.one", x="steps.one.output.v"),
        {"bad": fails_for("a")},
        concurrency=1,
    )
    assert came.of("one")["a"] == "failed"
    assert "cancelled" in came.of("one").values()
    assert came.exit_code == 1
    assert came.summary is not None
    assert came.summary.to_json()["resumable"] is True


def test_a_list_that_fails_in_a_step_that_stops_stops_the_run(go: Any) -> None:
    came = go(
        "steps:\n"
        + single("one", "5")
        + over("two", "on_error: stop", each="steps.one.output.v")
        + single("three", "steps.one.output.v")
    )
    assert came.of("two") == {"": "failed"}
    assert came.of("three") == {"": "cancelled"}
    assert came.submitted == 1


# --- files ---


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ("./in/${{ item }}", "../../secret.txt"),
        ("in/${{ item }}", "../../secret.txt"),
        ("${{ item }}${{ '' }}", "{secret}"),
        ("${{ item }}.txt", "~/secret"),
    ],
)
def test_a_value_in_the_name_of_a_file_never_leads_out_of_what_the_spec_names(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, cell: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    secret = tmp_path.parent / "secret.txt"
    secret.write_text("a secret")
    (tmp_path / "in").mkdir()
    came = go(
        "workflows: {w: {id: w, version: v1, input: {x: {type: file}}}}\n"
        f"params: {{names: {{type: array, default: ['{cell.format(secret=secret)}']}}}}\n"
        "steps:\n  one: {workflow: w, for_each: '${{ params.names }}', input: {x: \"" + written + '"}}\n'
    )
    assert came.exit_code == 2
    assert came.submitted == 0
    assert "because of a value in it" in came.errors[0]


@pytest.mark.parametrize("cell", ["../secret.png", "{secret}", "~/secret.png"])
def test_a_value_for_an_operation_of_image_names_no_file_outside(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    secret = tmp_path.parent / "secret.png"
    Image.new("RGB", (4, 4)).save(secret)
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "logo.png")
    came = go(
        f"params: {{names: {{type: array, default: [logo.png, '{cell.format(secret=secret)}']}}}}\n"
        "steps:\n  one: {image: [{composite: {over: '${{ item }}'}}], for_each: '${{ params.names }}', "
        "key: '${{ index }}', input: {image: p.png}}\n"
    )
    assert came.of("one") == {"0": "succeeded", "1": "failed"}
    assert "because of a value in it" in came.reasons["one@1"]


# --- save ---


def test_two_tasks_that_would_save_to_one_path_are_an_error_before_paying(go: Any) -> None:
    came = go(LISTS + over("one", "save: out/x.${{ ext }}"))
    assert came.exit_code == 2
    assert came.submitted == 0
    assert "saves to out/x.ext too" in json.dumps(came.errors)


PICTURES = [
    {"for": {"x": "p"}, "give": {"images": [{"picture": "A"}, {"picture": "B"}], "t": "hello"}},
    {"give": {"images": {"picture": "{x}"}}},
]


def test_a_further_file_never_takes_the_path_of_another_task(go: Any, tmp_path: Path) -> None:
    came = go(
        "params: {a: {type: array, default: [p, p-2]}}\nsteps:\n" + over("one", "save: out/${{ item }}.${{ ext }}"),
        {"one": PICTURES},
    )
    assert came.exit_code == 1
    assert came.of("one") == {"p": "failed", "p-2": "succeeded"}
    assert "one@p-2 saves to out/p-2.png too (the result is kept" in came.reasons["one@p"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p-2.png"]


@pytest.mark.parametrize(
    ("save", "why"),
    [
        ("{images: 'o/x.${{ ext }}', t: o/x-2.png}", "two files of the output mean o/x-2.png"),
        ("o/x${{ '' if n else '' }}.png", "two files of the output mean o/x.png"),
    ],
)
def test_two_files_of_one_output_never_share_a_path(go: Any, tmp_path: Path, save: str, why: str) -> None:
    came = go("params: {a: {type: array, default: [p]}}\nsteps:\n" + over("one", f"save: {save}"), {"one": PICTURES})
    assert re.search(why, came.reasons["one@p"])
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("spec", "save"),
    [
        ("steps:\n" + single("one", "1"), "pipeline.yaml"),
        ("steps:\n" + single("one", "1"), ".env"),
        ("steps:\n  sub: {pipeline: inner.yaml}\n" + single("one", "1"), "inner.yaml"),
        ("steps:\n" + single("one", "read('rows.csv')"), "rows.csv"),
        ("steps:\n" + single("one", "read(file('rows.csv'))"), "rows.csv"),
        ("steps:\n" + single("one", "read('none.csv', default='')"), "none.csv"),
        ("steps:\n" + single("one", "file('rows.csv').name"), "rows.csv"),
        ("params: {p: {type: string, default: '*.csv'}}\nsteps:\n" + single("one", "glob(params.p)[0].name"), "rows.csv"),
        ("params: {f: {type: files, default: rows.csv}}\nsteps:\n" + over("one", each="params.f", x="item.name"), "rows.csv"),
        ("params: {f: {type: file, default: rows.csv}}\nsteps:\n" + single("one", "params.f.name"), "rows.csv"),
        ("steps:\n  sub: {pipeline: file.yaml}\n" + single("one", "1", "needs: [sub]"), "rows.csv"),
    ],
)  # fmt: skip
def test_what_a_run_reads_is_never_replaced(go: Any, tmp_path: Path, spec: str, save: str) -> None:
    inner = "steps:\n" + single("two", "1")
    params = "params: {f: {type: file, default: rows.csv}}\n"
    (tmp_path / "inner.yaml").write_text(HEAD + inner, encoding="utf-8")
    (tmp_path / "file.yaml").write_text(HEAD + params + inner.replace("{ 1", "{ params.f.name"), encoding="utf-8")
    (tmp_path / "rows.csv").write_text("n\n1\n", encoding="utf-8")
    came = go(spec + f"    save: {{t: {save}}}\n", {"one": [{"give": {"t": "new"}}]})
    (name,) = [task for task in came.statuses if task.startswith("one@")]
    assert came.reasons[name] == f"{save} is read by this run and is not replaced (save to another folder)"
    assert name not in came.sent
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8") == "n\n1\n"


@pytest.mark.parametrize(
    ("save", "cell"),
    [
        ("out/${{ item }}.${{ ext }}", ""),
        ("out/${{ item }}.${{ ext }}", "a/"),
        ("out/${{ item }}.png", ""),
        ("${{ item }}.${{ ext | upper }}", ""),
    ],
)
def test_a_path_with_nothing_before_its_extension_is_an_error_before_paying(go: Any, save: str, cell: str) -> None:
    spec = f"params: {{a: {{type: array, default: ['{cell}']}}}}\nsteps:\n"
    came = go(spec + over("one", f'save: "{save}"', x="index"), {"one": PICTURES})
    assert came.exit_code == 2
    assert came.submitted == 0
    assert "has nothing before its extension" in came.errors[0]


def test_a_hidden_file_may_be_named(go: Any, tmp_path: Path) -> None:
    spec = "params: {a: {type: array, default: [.p]}}\nsteps:\n"
    spec += over("one", "save: out/${{ item }}.${{ ext }}") + over("two", "save: out/.${{ index }}", workflow="one")
    assert go(spec, {"one": PICTURES}).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".0", ".p.png"]


def test_branches_of_which_only_one_will_run_may_save_to_one_path(go: Any, tmp_path: Path) -> None:
    came = go(
        LISTS
        + over("check")
        + over("soft", "when: steps.check.output.v == 'p'", "save: out/${{ item }}.txt", each="steps.check")
        + over("hard", "when: steps.check.output.v != 'p'", "save: out/${{ item }}.txt", each="steps.check"),
    )
    assert came.exit_code == 0


def test_half_a_character_is_saved_as_json_writes_it(go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speedpix_pipe.emulator.envelope._compact", json.dumps)  # our own answers have none
    given = {"text": "\ud800 and more", "list": ["\ud800 and more"]}
    came = go(
        "steps:\n  a: {workflow: w, save: {text: out/a.txt, list: out/a.json}}\n",
        {"w": [{"give": given}]},
    )
    assert came.exit_code == 0
    assert (tmp_path / "out/a.txt").read_text("utf-8") == r"\ud800 and more"
    assert json.loads((tmp_path / "out/a.json").read_text("utf-8")) == given["list"]


@pytest.mark.parametrize(
    ("param", "save"),
    [
        ("photos: {type: files, default: '*.png'}", "${{ item.stem }}-white.${{ ext }}"),
        ("photos: {type: files, default: ['*.png', 'sub/**/*.jpg']}", "sub/x/${{ item.stem }}.jpg"),
    ],
)
def test_a_pattern_that_would_find_what_is_saved_is_an_error(go: Any, tmp_path: Path, param: str, save: str) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.jpg").write_bytes(b"x")
    came = go(f"params:\n  {param}\nsteps:\n" + over("one", f"save: {save}", each="params.photos", x="item.stem"))
    assert came.exit_code == 2
    assert "would be found by the spec's own pattern" in came.errors[0]
