"""The official Python SDK, 1.0.4, as a client of our emulator: what it is told, it understands."""

from __future__ import annotations

import pytest

from tests.functional.two_sdks import Played, play

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play("speedpix", tmp_path_factory.mktemp("official"))


@pytest.mark.parametrize("scene", ["run_text", "run_two_images", "run_version", "run_options", "module_run"])
def test_run_returns_the_file_object(played: Played, scene: str) -> None:
    image = played.told[scene]["returned"]["images"]
    assert image["type"] == "image"
    assert image["url"].startswith("FileOutput(url='http://127.0.0.1:")


@pytest.mark.parametrize("scene", ["run_image", "async_run"])
def test_a_picture_is_uploaded_worked_on_and_saved_on_both_faces(played: Played, scene: str) -> None:
    assert played.told[scene]["returned"] > 100
    assert [seen.what for seen in played.seen[scene]][:3] == ["ticket", "put", "submit"]
    assert played.seen[scene][-1].what == "get"


def test_predictions_are_created_waited_for_and_found_again(played: Played) -> None:
    assert played.told["create_wait_get"]["returned"] == ["succeeded", "succeeded", True]
    assert played.told["create_base64"]["returned"] == "succeeded"


def test_files_are_uploaded_from_paths_and_streams(played: Played) -> None:
    name, kind, size, is_its_url = played.told["upload_path"]["returned"]
    assert (name, kind, is_its_url) == ("photo.jpg", "image/jpeg", True)
    assert played.told["async_upload"]["returned"] == [name, kind, size]
    assert len(played.seen["upload_path"][-1].body) == size
    assert played.told["upload_bytes"]["returned"][:2] == ["file", "application/octet-stream"]


def test_a_failed_task_tells_why(played: Played) -> None:
    assert played.told["failed_task"]["error"] == "PredictionError"
    assert "upside down" in played.told["failed_task"]["text"]


def test_a_wrong_secret_is_refused_before_anything_is_made(played: Played) -> None:
    assert played.told["wrong_secret"]["error"] == "HTTPStatusError"
    assert "403" in played.told["wrong_secret"]["text"]
    assert [seen.what for seen in played.seen["wrong_secret"]] == ["submit"]
