"""What runs again and what does not: by what a task sees, and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedpix_pipe.cli import main
from tests.functional.faulty import SPEC, Scene, emulator, hurried
from tests.functional.money import Shop, counts

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("steps:", "# a comment\nsteps:"),
        ("name: money", "name: other"),
        ("  first:\n    workflow: first\n    for_each", "  first:\n    timeout: 3m\n    workflow: first\n    for_each"),
        (
            "    workflow: second\n    for_each: ${{ steps.first }}\n",
            "    for_each: ${{ steps.first }}\n    workflow: second\n",
        ),
        ("    workflow: second\n", "    workflow: second\n    price: 3\n    on_error: ignore\n"),
    ],
    ids=["comment", "name", "timeout", "order of keys", "price and on_error"],
)
def test_what_no_task_sees_runs_nothing_again(tmp_path: Path, old: str, new: str) -> None:
    with Shop(tmp_path) as shop:
        shop.run()
        shop.edit(old, new)
        assert counts(shop.run()) == {"cached": 8}
        assert shop.made == 8


def test_renaming_a_step_runs_nothing_again(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.run()
        shop.edit("  first:\n", "  opening:\n")
        shop.edit("${{ steps.first }}", "${{ steps.opening }}")
        shop.edit("steps.first.output", "steps.opening.output")
        assert counts(shop.run()) == {"cached": 8}


def test_a_changed_prompt_runs_exactly_the_tasks_that_see_it(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.run()
        shop.edit('word: "${{ item }}"', "word: \"${{ 'cow' if item == 'cat' else item }}\"")
        assert counts(shop.run()) == {"cached": 6, "succeeded": 2}
        assert shop.made == 10


def test_max_age_runs_again_and_again(tmp_path: Path) -> None:
    with Shop(tmp_path, defaults="cache: {max_age: 1ms}") as shop:
        for number in (1, 2, 3):
            assert counts(shop.run(params={"words": ['["ant"]']}))["succeeded"] >= 1
            assert shop.words("first") == ["ant"] * number


def test_without_cache_every_run_pays(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.run()
        shop.run(no_cache=True)
        assert shop.made == 16
        assert counts(shop.run()) == {"cached": 8}


def test_a_deleted_output_comes_back_and_an_edited_one_is_left_alone(tmp_path: Path) -> None:
    with hurried(), emulator() as running:
        scene = Scene(tmp_path / "scene", running)
        scene.run()
        [output] = (scene.folder / "out").iterdir()
        content = output.read_bytes()
        output.unlink()
        assert scene.run().status == "cached"
        assert output.read_bytes() == content
        assert scene.saved() == [True], "it says that it was put back"
        output.write_bytes(b"mine now")
        assert scene.run().status == "cached"
        assert output.read_bytes() == b"mine now"
        assert [code for code, _ in scene.summary.warnings] == ["output.changed"]
        assert "changed" in scene.summary.warnings[0][1]
        assert scene.made == 1


def test_a_lost_blob_is_fetched_again_and_not_paid_again(tmp_path: Path) -> None:
    with hurried(), emulator() as running:
        scene = Scene(tmp_path / "scene", running)
        scene.run()
        for blob in (scene.folder / ".speedpix" / "blobs").iterdir():
            blob.unlink()
        assert scene.run().status == "succeeded"
        assert scene.summary.resumed == 1
        assert scene.made == 1


def test_a_blob_whose_bytes_have_rotted_is_not_given_out_as_the_result(tmp_path: Path) -> None:
    with hurried(), emulator() as running:
        scene = Scene(tmp_path / "scene", running)
        scene.run()
        [output] = (scene.folder / "out").iterdir()
        content = output.read_bytes()
        output.unlink()
        (blob,) = (scene.folder / ".speedpix" / "blobs").iterdir()
        rotten = bytearray(content)
        rotten[len(rotten) // 2] ^= 255
        blob.chmod(0o600)
        blob.write_bytes(rotten)  # the same size: a look at the file does not tell
        assert scene.run().status == "succeeded"
        assert output.read_bytes() == blob.read_bytes() == content
        assert scene.summary.resumed == 1
        assert scene.made == 1


def test_tasks_that_find_their_common_blob_rotted_at_once_share_what_is_fetched_again(tmp_path: Path) -> None:
    spec = SPEC.replace("    timeout", "    for_each: [a, b, c]\n    timeout").replace("result.", "${{ item }}.")
    with hurried(), emulator() as running:
        scene = Scene(tmp_path / "scene", running, spec)
        scene.run()
        outputs = sorted((scene.folder / "out").iterdir())
        content = outputs[0].read_bytes()
        for output in outputs:
            output.unlink()
        (blob,) = (scene.folder / ".speedpix" / "blobs").iterdir()
        blob.write_bytes(content[:-1] + b"?")
        scene.run()
        assert scene.failure is None
        assert [output.read_bytes() for output in outputs] == [content] * 3
        assert blob.read_bytes() == content
        assert (scene.summary.resumed, scene.made) == (1, 1)


def test_results_of_the_emulator_never_answer_for_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with hurried(), emulator() as running:
        scene = Scene(tmp_path / "scene", running)
        monkeypatch.chdir(scene.folder)
        assert main(["run", "pipeline.yaml", "--local", "--json"]) == 0
        assert scene.made == 0
        assert scene.run().status == "succeeded"
        assert scene.made == 1
        capsys.readouterr()
        assert main(["run", "pipeline.yaml", "--local", "--json"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["tasks"]["cached"] == 1


def test_uploads_are_shared_by_content_within_a_run_and_between_runs(tmp_path: Path) -> None:
    spec = """\
apiVersion: speedpix-pipe/v1
name: uploads
steps:
  step:
    workflow: stylize
    for_each: ${{ glob('in/*.png') }}
    matrix: {style: [mono, sepia, poster]}
    input: {image: "${{ item }}", style: "${{ matrix.style }}"}
"""
    with hurried(), emulator() as running:
        scene = Scene(tmp_path / "scene", running, spec)
        (scene.folder / "in").mkdir()
        for name in ("one", "same", "again"):
            (scene.folder / "in" / f"{name}.png").write_bytes((scene.folder / "in.png").read_bytes())
        scene.run()
        assert running.counters["uploads"] == 1
        assert scene.made == 3
        (scene.folder / "pipeline.yaml").write_text(spec.replace("poster", "sketch"), encoding="utf-8")
        scene.run()
        assert running.counters["uploads"] == 1
        assert scene.made == 4
