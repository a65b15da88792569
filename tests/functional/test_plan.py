"""`plan`: what would run, what is kept, what it takes; without network, credentials, or a trace of its own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from PIL import Image

from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread, Fault

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: words
params:
  words: {type: array, default: [one, two, three]}
workflows:
  text-to-image: {id: text-to-image, price: 0.2}
steps:
  draw:
    workflow: text-to-image
    for_each: ${{ params.words }}
    input: {prompt: "${{ item }}", width: 64, height: 64}
    save: out/${{ item }}.${{ ext }}
  big:
    workflow: upscale
    for_each: ${{ steps.draw }}
    input: {image: "${{ steps.draw.file }}", scale: 2}
    save: out/big/${{ item }}.${{ ext }}
"""
PHOTOS = """
apiVersion: speedpix-pipe/v1
name: photos
params:
  photos: {type: files, default: "inbox/*.png"}
steps:
  small:
    image: [{resize: {width: 4}}]
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}"}
  white:
    workflow: white-background
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", text: hat}
    save: out/${{ item.stem }}.${{ ext }}
"""


def counts(ran, step: str) -> dict[str, int | None]:
    return next({k: v for k, v in row.items() if k != "step"} for row in ran.json["steps"] if row["step"] == step)


def zeros(**given: int | None) -> dict[str, int | None]:
    names = ("total", "run", "cached", "join", "unknown", "when_known")
    return dict.fromkeys(names, 0) | given


def test_the_first_plan_of_a_spec(cli, project):
    Path("words.yaml").write_text(SPEC)
    ran = cli("plan", "words.yaml", "--json")
    assert ran.code == 0
    assert list(ran.json) == ["steps", "upload_bytes", "seconds", "cost"]
    assert counts(ran, "draw") == zeros(total=3, run=3)
    assert counts(ran, "big") == zeros(total=3, when_known=3)
    assert ran.json["upload_bytes"] == 0
    assert ran.json["seconds"] is None
    assert ran.json["cost"] == 0.6
    assert not Path(".speedpix").exists()


def test_what_was_done_is_cached_and_lets_the_planning_go_on_below(cli, project, emulator):
    Path("words.yaml").write_text(SPEC)
    assert cli("run", "words.yaml", "--only", "draw").code == 0
    calls = emulator.counters
    ran = cli("plan", "words.yaml", "-p", 'words=["one","two","three","four"]', "--json")
    assert emulator.counters == calls
    assert counts(ran, "draw") == zeros(total=4, cached=3, run=1)
    assert counts(ran, "big") == zeros(total=4, run=3, when_known=1)
    assert cli("run", "words.yaml").code == 0
    ran = cli("plan", "words.yaml", "--json")
    assert ran.json["cost"] == ran.json["seconds"] == 0
    assert counts(ran, "big") == zeros(total=3, cached=3)


def test_a_plan_says_what_the_run_then_does(cli, project, emulator):
    Path("words.yaml").write_text(SPEC)
    planned = cli("plan", "words.yaml", "--json").json
    summary = cli("run", "words.yaml", "--json").json
    assert sum(row["total"] for row in planned["steps"]) == summary["tasks"]["total"]
    assert sum(row["run"] + row["when_known"] for row in planned["steps"]) == summary["predictions"]["submitted"]


def test_results_of_the_service_are_none_of_the_emulator(cli, project, emulator):
    Path("words.yaml").write_text(SPEC)
    assert cli("run", "words.yaml").code == 0
    assert counts(cli("plan", "words.yaml", "--local", "--json"), "draw") == zeros(total=3, run=3)


def test_a_kept_result_whose_bytes_are_gone_is_fetched_again_not_paid_again(cli, project, emulator):
    Path("words.yaml").write_text(SPEC)
    assert cli("run", "words.yaml", "--only", "draw").code == 0
    for blob in Path(".speedpix/blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()
    ran = cli("plan", "words.yaml", "--json")
    assert counts(ran, "draw") == zeros(total=3, join=3)
    assert ran.json["cost"] == 0.0 or ran.json["cost"] is None


def test_a_submission_of_unknown_outcome_stands_as_unknown(cli, project, emulator):
    Path("words.yaml").write_text(SPEC)
    emulator.add_fault(Fault("reset-after", "submit"))
    ran = cli("run", "words.yaml", "--json")
    assert ran.json["predictions"]["unknown"] == 1
    ran = cli("plan", "words.yaml", "--json")
    assert counts(ran, "draw")["unknown"] == 1
    assert counts(ran, "draw")["cached"] == 2


def test_equal_tasks_are_paid_once(cli, project):
    Path("words.yaml").write_text(SPEC.replace('prompt: "${{ item }}"', "prompt: the same"))
    ran = cli("plan", "words.yaml", "--json")
    assert counts(ran, "draw") == zeros(total=3, run=1, cached=2)
    assert ran.json["cost"] == 0.2


def test_a_list_that_comes_from_a_workflow_has_no_total_yet(cli, project):
    Path("words.yaml").write_text(
        SPEC + "  each:\n    workflow: describe\n    for_each: ${{ steps.draw.output.images }}\n"
        "    input: {image: '${{ item.url }}'}\n"
    )
    ran = cli("plan", "words.yaml", "--json")
    assert counts(ran, "each") == zeros(total=None)
    assert ran.json["seconds"] is None
    assert "?" in cli("plan", "words.yaml").out


def test_a_condition_that_says_no_leaves_the_task_out_of_what_runs(cli, project):
    Path("words.yaml").write_text(
        SPEC.replace("    save: out/${{ item }}.", "    when: item != 'two'\n    save: out/${{ item }}.")
    )
    ran = cli("plan", "words.yaml", "--json")
    assert counts(ran, "draw") == zeros(total=3, run=2)
    assert counts(ran, "big") == zeros(total=3, when_known=2)


def test_bytes_to_upload_count_each_content_once_and_not_what_is_there(cli, project, emulator):
    Path("inbox").mkdir()
    for name, colour in (("a", "red"), ("b", "red"), ("c", "blue")):
        Image.new("RGB", (40, 40), colour).save(f"inbox/{name}.png")
    size = Path("inbox/a.png").stat().st_size + Path("inbox/c.png").stat().st_size
    Path("photos.yaml").write_text(PHOTOS)
    assert cli("plan", "photos.yaml", "--json").json["upload_bytes"] == size
    assert cli("run", "photos.yaml", "--only", "white@a").code == 0
    ran = cli("plan", "photos.yaml", "--json")
    assert ran.json["upload_bytes"] == Path("inbox/c.png").stat().st_size
    assert counts(ran, "white") == zeros(total=3, cached=2, run=1)


def test_pictures_that_are_still_to_be_made_here_have_no_size_yet(cli, project):
    Path("inbox").mkdir()
    Image.new("RGB", (40, 40), "red").save("inbox/a.png")
    Path("photos.yaml").write_text(
        PHOTOS.replace('for_each: ${{ params.photos }}\n    input: {image: "${{ item }}", text',
                       'for_each: ${{ steps.small }}\n    input: {image: "${{ steps.small.file }}", text')
    )  # fmt: skip
    ran = cli("plan", "photos.yaml", "--json")
    assert counts(ran, "white") == zeros(total=1, when_known=1)
    assert ran.json["upload_bytes"] is None


def test_time_is_guessed_from_earlier_runs(cli, project, monkeypatch):
    Path("words.yaml").write_text(SPEC)
    with EmulatorThread(EmulatorOptions(latency=0.3)) as slow:
        for name, value in (("ENDPOINT", slow.url), ("APP_KEY", "local"), ("APP_SECRET", "local")):
            monkeypatch.setenv(f"SPEEDPIX_{name}", value)
        assert cli("run", "words.yaml").code == 0
        ran = cli("plan", "words.yaml", "-p", 'words=["four"]', "--json")
    assert 0.6 <= ran.json["seconds"] < 5


def test_only_and_from_narrow_the_plan(cli, project):
    Path("words.yaml").write_text(SPEC)
    ran = cli("plan", "words.yaml", "--only", "draw@two", "--json")
    assert [row["step"] for row in ran.json["steps"]] == ["draw"]
    assert counts(ran, "draw") == zeros(total=1, run=1)
    ran = cli("plan", "words.yaml", "--from", "big@two", "--json")
    assert counts(ran, "draw") == zeros(total=1, run=1)
    assert counts(ran, "big") == zeros(total=1, when_known=1)


def test_a_spec_that_would_not_run_is_not_planned(cli, project):
    Path("words.yaml").write_text(SPEC.replace("out/${{ item }}.${{ ext }}", "out/same.${{ ext }}", 1))
    ran = cli("plan", "words.yaml", "--json")
    assert ran.code == 2
    assert "saves to out/same" in ran.json["errors"][0]["message"]


def test_a_table_for_people(cli, project):
    Path("words.yaml").write_text(SPEC)
    out = cli("plan", "words.yaml").out
    assert out.startswith("words: 3 tasks to run, then up to 3 more tasks that wait for them\n")
    assert "cost    0.60" in out


def test_the_resolved_spec_says_what_is_in_force(cli, project):
    Path("words.yaml").write_text(SPEC + "defaults: {timeout: 3m}\n")
    resolved = yaml.safe_load(cli("plan", "words.yaml", "--resolved").out)
    assert resolved["steps"]["draw"]["timeout"] == "3m"
    assert resolved == json.loads(cli("plan", "words.yaml", "--resolved", "--json").out)


@pytest.mark.parametrize("form", ["mermaid", "dot", "svg"])
def test_the_graph_is_drawn_without_any_other_program(cli, project, form):
    Path("words.yaml").write_text(SPEC)
    ran = cli("plan", "words.yaml", "--graph", form)
    assert ran.code == 0
    assert "draw" in ran.out
    assert "upscale" in ran.out
    if form == "svg":
        root = ET.fromstring(ran.out)
        assert len(root.findall(".//{http://www.w3.org/2000/svg}rect")) == 2


def test_what_a_condition_may_leave_out_does_not_end_a_plan(cli, project):
    """Its value cannot be had, and nobody knows yet whether it is asked for."""
    Path("maybe.yaml").write_text(
        "apiVersion: speedpix-pipe/v1\nname: maybe\nsteps:\n"
        "  check: {workflow: check}\n"
        "  soft:\n    workflow: soft\n    when: steps.check.output.kind == 'silk'\n"
        '    input: {image: "x${{ [1] }}", other: "${{ file(\'not-there.png\') }}"}\n    save: out/a.png\n'
    )
    ran = cli("plan", "maybe.yaml", "--local", "--json")
    assert ran.code == 0, ran.err
    assert [step["when_known"] for step in ran.json["steps"]] == [0, 1]
