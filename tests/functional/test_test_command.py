"""`test`: a spec's cases, carried out offline, and what is said where one does not hold."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from speedpix_pipe.app.spectest.casefile import schema_text

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted(path.with_name(path.name.split(".")[0] + ".yaml") for path in (ROOT / "pipelines").glob("*.test.yaml"))
HEAD = "apiVersion: speedpix-pipe/test-v1\n"
SPEC = """\
apiVersion: speedpix-pipe/v1
name: shots
params:
  photos: {type: files, default: "inbox/*.png"}
workflows:
  white: {id: wf-1, price: 0.25, output: {images: {type: file}}}
  judge: {id: wf-2, price: 0.1}
env: [SHOP]
steps:
  white:
    workflow: white
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", text: "by ${{ env.SHOP }}"}
    save: out/${{ item.stem }}.${{ ext }}
  judge:
    workflow: judge
    for_each: ${{ steps.white }}
    input: {image: "${{ steps.white.output.images.url }}"}
  note:
    workflow: judge
    for_each: ${{ steps.judge }}
    when: steps.judge.output.score > 0.5
    input: {text: "${{ item.stem }}: ${{ steps.judge.output.score }}"}
    save: {text: "notes/${{ item.stem }}.txt"}
outputs: {first: "${{ steps.white.files[0] }}"}
"""
CASES = """\
files:
  inbox/cup.png: {picture: a cup}
  inbox/hat.png: {picture: a hat}
env: {SHOP: Corner}
workflows:
  white: {give: {images: {picture: "white {image}"}}}
  judge:
    - when: {text: "*"}
      give: {text: "{text}"}
    - when: {image: "*"}
      give: {score: 0.8}
cases:
"""
GOOD = """\
  - name: all is well
    expect:
      status: succeeded
      calls: {white: 2, white@cup: {input: {text: by Corner, image: inbox/cup.png}}, judge: 2, note@*hat*: 1}
      tasks: {white: succeeded, note: {succeeded: 2}}
      files: {out/*.png: {count: 2, width: 64, height: 48, format: png}, notes/cup.txt: {text: "cup: 0.8"}, notes/hat.txt: 1}
      cost: 0.9
      outputs: {first: out/cup.png}
    again: {calls: 0, cost: 0, tasks: {white: cached}}
"""


@pytest.fixture
def shots(project: Path) -> Path:
    (project / "shots.yaml").write_text(SPEC, encoding="utf-8")
    return project


def write(folder: Path, cases: str, *, head: str = CASES, name: str = "shots.test.yaml") -> None:
    (folder / name).write_text(HEAD + head + cases, encoding="utf-8")


def misses(ran) -> dict[str, tuple[object, object]]:
    return {miss["what"]: (miss["expected"], miss["came"]) for case in ran.json for miss in case["misses"]}


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_the_cases_of_our_own_pipelines_hold(cli, spec: Path) -> None:
    ran = cli("test", spec)
    assert ran.code == 0, ran.err


def test_at_least_three_of_our_pipelines_have_cases() -> None:
    assert len(SPECS) >= 3


def test_a_case_that_holds_leaves_nothing_behind(cli, shots: Path) -> None:
    write(shots, GOOD)
    ran = cli("test", "shots.yaml", "--json")
    assert ran.code == 0, ran.err
    assert [(case["name"], case["passed"], case["misses"]) for case in ran.json] == [("all is well", True, [])]
    assert sorted(path.name for path in shots.iterdir()) == ["shots.test.yaml", "shots.yaml"]


def test_no_credentials_endpoint_or_environment_reach_a_case(cli, shots: Path, monkeypatch) -> None:
    monkeypatch.setenv("SPEEDPIX_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("SPEEDPIX_STATE_DIR", str(shots / "state"))
    monkeypatch.setenv("SHOP", "outside")
    write(shots, GOOD)
    assert cli("test", "shots.yaml").code == 0
    assert not (shots / "state").exists()


def test_every_miss_says_what_was_expected_what_came_and_where(cli, shots: Path) -> None:
    write(
        shots,
        """\
  - name: all wrong
    expect:
      status: failed
      calls: {white: 3, white@cup: {input: {text: by *X, size: 3}}, judge: {count: 2}, nobody: {count: 0}, none: {input: {}}}
      tasks: {white: cached, note: {succeeded: 1}, ghost: failed}
      errors: {white: "*"}
      files: {out/cup.png: {width: 10}, notes/*: {text: "*0.9"}, out/lost.png: 1}
      cost: 1
      outputs: {first: out/hat.png, second: 1}
      exit: 1
""",
    )
    ran = cli("test", "shots.yaml", "--json")
    assert ran.code == 1
    found = misses(ran)
    assert found["exit"] == (1, 0)
    assert found["status"] == ("failed", "succeeded")
    assert found["calls.white"] == (3, "2: white@inbox/cup.png, white@inbox/hat.png")
    assert found["input text of white@inbox/cup.png"] == ("by *X", "by Corner")
    assert found["input size of white@inbox/cup.png"] == (3, "(not sent)")
    assert found["calls.none"][0] == "at least one call"
    assert found["tasks.note"] == ({"succeeded": 1}, {"succeeded": 2})
    assert found["tasks.ghost"] == ("failed", "no such task")
    assert found["width of out/cup.png"] == (10, 64)
    assert found["files"] == ("no other files", ["out/hat.png"])
    assert found["cost"] == (1, 0.9)
    assert found["outputs.second"] == (1, "no such output")
    assert "calls.nobody" not in found
    assert "calls.judge" not in found
    assert "shots.test.yaml:17:15: calls.white" in ran.err
    lines = {miss["what"]: miss["line"] for miss in ran.json[0]["misses"]}
    assert lines["cost"] == 21


def test_a_workflow_can_be_made_to_fail_for_some_inputs(cli, shots: Path) -> None:
    write(
        shots,
        """\
  - name: the hat fails
    workflows:
      white:
        - {when: {image: "hat*"}, fail: no product in sight}
        - {give: {images: {picture: white}}}
    expect:
      exit: 1
      tasks: {white: {succeeded: 1, failed: 1}, note@hat: skipped, note@cup: succeeded}
      errors: {white@hat: "*no product in sight*", note@hat: "white@inbox/hat.png failed"}
  - name: no rule fits
    workflows: {wf-1: [{when: {image: "hat*"}, give: {images: {picture: x}}}]}
    expect: {exit: 1, errors: {white@cup: "*no rule of the case fits*"}}
""",
    )
    ran = cli("test", "shots.yaml")
    assert ran.code == 0, ran.err


def test_a_workflow_without_an_answer_is_answered_from_its_contract(cli, shots: Path) -> None:
    write(
        shots,
        "  - {name: n, expect: {tasks: {white: succeeded}, exit: 1}}\n",
        head="files: {inbox/a.png: {picture: a}}\nenv: {SHOP: x}\ncases:\n",
    )
    assert cli("test", "shots.yaml").code == 0


def test_a_spec_that_is_refused_shows_why_unless_the_case_expects_it(cli, shots: Path) -> None:
    (shots / "shots.yaml").write_text(
        SPEC.replace("steps.judge.output.score >", "steps.jduge.output.score >"), encoding="utf-8"
    )
    write(
        shots,
        "  - {name: a, expect: {calls: 0}}\n  - {name: b, expect: {problems: [spec.unknown-step]}}\n  - {name: c, expect: {problems: [spec.cycle]}}\n",
    )
    ran = cli("test", "shots.yaml", "--json")
    assert [case["passed"] for case in ran.json] == [False, True, False]
    assert 'did you mean "judge"' in ran.err or 'no step "jduge"' in ran.err
    assert ran.json[2]["misses"][0]["came"] == ["spec.unknown-step"]


def test_sub_pipelines_outside_of_the_folder_come_along(cli, shots: Path) -> None:
    (shots / "parts").mkdir()
    (shots / "apps").mkdir()
    (shots / "parts" / "one.yaml").write_text(
        "apiVersion: speedpix-pipe/v1\nname: one\nparams: {text: {type: string}}\n"
        "steps:\n  draw: {workflow: text-to-image, input: {prompt: '${{ params.text }}', width: 64, height: 64}}\n",
        encoding="utf-8",
    )
    (shots / "apps" / "app.yaml").write_text(
        "apiVersion: speedpix-pipe/v1\nname: app\nparams: {text: {type: string}}\n"
        "steps:\n  part: {pipeline: ../parts/one.yaml, input: {text: \"${{ params.text }} ${{ read(file('data/a.txt')) }}\"}}\n",
        encoding="utf-8",
    )
    (shots / "apps" / "data").mkdir()
    (shots / "apps" / "data" / "a.txt").write_text("from disk", encoding="utf-8")
    (shots / "apps" / "elsewhere.test.yaml").write_text(
        HEAD + "spec: ./app.yaml\ncopy: ['data/*.txt']\nparams: {text: hi}\ncases:\n"
        "  - {name: x, expect: {calls: {part.draw: {input: {prompt: hi from disk}}}}}\n",
        encoding="utf-8",
    )
    ran = cli("test", "apps/app.yaml")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ("  - {name: x, expect: {cals: 1}}\n", 'unknown key "cals"'),
        ("  - {name: x, expect: {calls: {white: {cont: 1}}}}\n", 'did you mean "count"'),
        ("  - {name: x, expect: {exit: 7}}\n", "must be one of 0, 1, 2, 3, 130"),
        ("  - {expect: {}}\n", "name is missing here"),
        ("  - {name: x, workflows: {white: {when: {}}}, expect: {}}\n", "exactly one of give and fail is needed"),
        ("  - {name: x, workflows: {wihte: {fail: x}}, expect: {}}\n", 'did you mean "white"'),
        ("  - {name: x, files: {../up.txt: x}, expect: {}}\n", "up.txt"),
        ("  - {name: x, files: {a.png: {copy: none.png}}, expect: {}}\n", "none.png is no file"),
        ("  - {name: x, name: y, expect: {}}\n", "name"),
        ("  []\n", "cases"),
        ("  - {name: x, expect: {files: {a: {colour: red}}}}\n", 'unknown key "colour"'),
    ],
)
def test_a_wrong_case_file_is_refused_with_its_place(cli, shots: Path, cases: str, said: str) -> None:
    write(shots, cases)
    ran = cli("test", "shots.yaml")
    assert ran.code == 2
    assert said in ran.err
    assert "shots.test.yaml" in ran.err


def test_a_spec_without_cases_a_missing_spec_and_a_name_that_fits_no_case(cli, shots: Path) -> None:
    ran = cli("test", "shots.yaml")
    assert (ran.code, "shots.test.yaml" in ran.err) == (2, True)
    assert cli("test", "nowhere.yaml").code == 2
    assert cli("test").code == 2
    write(shots, GOOD)
    assert cli("test", "shots.yaml", "--case", "nothing like it").code == 2


def test_cases_belong_to_the_spec_whose_name_their_file_begins_with(cli, shots: Path) -> None:
    write(shots, GOOD)
    write(shots, GOOD.replace("all is well", "rush hour"), name="shots.rush.test.yaml")
    write(shots, "  - {name: not ours, expect: {exit: 3}}\n", name="shotsandmore.test.yaml")
    ran = cli("test", "shots.yaml", "--json")
    assert [case["name"] for case in ran.json] == ["rush hour", "all is well"]
    assert [case["name"] for case in cli("test", "shots.yaml", "--case", "Rush", "--json").json] == ["rush hour"]


def test_validate_checks_the_form_of_case_files(cli, shots: Path) -> None:
    write(shots, GOOD)
    assert cli("validate", "shots.test.yaml").code == 0
    write(shots, "  - {name: x, expect: {cost: much}}\n")
    [problem] = cli("validate", "shots.test.yaml", "--json").json
    assert (problem["code"], problem["line"], problem["column"]) == ("test.value", 14, 30)
    assert cli("validate", "none.test.yaml").code == 2


def test_a_folder_stands_for_all_cases_below_it_and_a_case_file_for_itself(cli, shots: Path) -> None:
    write(shots, GOOD)
    write(shots, GOOD.replace("all is well", "rush hour"), name="shots.rush.test.yaml")
    assert [case["name"] for case in cli("test", ".", "--json").json] == ["rush hour", "all is well"]
    assert [case["name"] for case in cli("test", "shots.rush.test.yaml", "--json").json] == ["rush hour"]
    write(shots, GOOD, name="lonely.test.yaml")
    assert cli("test", ".").code == 2
    (shots / "empty").mkdir()
    assert cli("test", "empty").code == 2


def test_folders_of_cases_can_be_kept(cli, shots: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    write(shots, GOOD)
    ran = cli("test", "shots.yaml", "--keep")
    [line] = [line for line in ran.err.splitlines() if "kept in" in line]
    folder = Path(line.partition("kept in ")[2])
    assert (folder / "notes" / "cup.txt").read_text(encoding="utf-8") == "cup: 0.8"


def test_the_schema_accepts_our_case_files_and_is_printed_for_editors(cli) -> None:
    printed = cli("test", "--schema").out
    assert printed == schema_text()
    validator = jsonschema_rs.Draft7Validator(json.loads(printed))
    for path in (ROOT / "pipelines").glob("*.test.yaml"):
        assert validator.is_valid(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_the_case_file_of_the_docs_is_one() -> None:
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    shown = text.split("```yaml\n")[1].split("```")[0]
    assert jsonschema_rs.Draft7Validator(json.loads(schema_text())).is_valid(yaml.safe_load(shown))
