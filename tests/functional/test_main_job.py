"""The main job on real photographs: `run --local` of the product-shots pipeline, looked at in pixels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import skimage.data
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from speedpix_pipe.cli import main

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
# name -> (picture that scikit-image ships, what to cut out of it): a real surface in each
SUBJECTS = {
    "cat": ("chelsea.png", (110, 20, 410, 300)),
    "coffee": ("coffee.png", (170, 40, 470, 340)),
    "rocket": ("rocket.jpg", (180, 60, 480, 360)),
    "eye": ("retina.jpg", (200, 200, 1200, 1200)),
}


def photograph(name: str) -> Image.Image:
    """A round piece of a real photograph, lying on a softly shaded table."""
    source, box = SUBJECTS[name]
    piece = opened(Path(skimage.data.__file__).parent / source).crop(box).resize((300, 300))
    table = Image.linear_gradient("L").resize((800, 600)).point(lambda v: 205 + v // 10)
    photo = Image.merge("RGB", (table, table, table.point(lambda v: v - 6)))
    mask = Image.new("L", (1200, 1200), 0)
    ImageDraw.Draw(mask).ellipse((8, 8, 1192, 1192), fill=255)
    photo.paste(piece, (250, 140), mask.resize((300, 300), Image.Resampling.LANCZOS))
    return photo.filter(ImageFilter.GaussianBlur(0.4))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run over four photographs, with a state folder and results of its own."""
    folder = tmp_path_factory.mktemp("shop")
    shutil.copy(PIPELINES / "product-shots.yaml", folder)
    (folder / "inbox").mkdir()
    for name in SUBJECTS:
        photograph(name).save(folder / "inbox" / f"{name}.jpg", quality=95)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "product-shots.yaml", "--local", "--yes"]) == 0
    return folder


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def corners(picture: Image.Image) -> list[tuple[int, ...]]:
    width, height = picture.size
    return [picture.getpixel(at) for at in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1))]


def subject_of(picture: Image.Image) -> Image.Image:
    """What is not white, in one size, so that pictures can be compared. The caption below is left out."""
    upper = picture.convert("RGB").crop((0, 0, picture.width, int(picture.height * 0.8)))
    difference = ImageChops.difference(upper, Image.new("RGB", upper.size, (255, 255, 255)))
    mask = difference.convert("L").point(lambda v: 255 if v > 40 else 0).filter(ImageFilter.MedianFilter(5))
    return upper.crop(mask.getbbox()).resize((96, 96))


def distance(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean)


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SUBJECTS)
def test_corners_are_clean_white(finished: Path, name: str) -> None:
    [path] = (finished / "out/product-shots/white").glob(f"{name}.*")
    assert corners(opened(path)) == [(255, 255, 255)] * 4


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_subject_is_kept_and_each_result_comes_from_its_own_photo(finished: Path, name: str) -> None:
    [path] = (finished / "out/product-shots/white").glob(f"{name}.*")
    found = subject_of(opened(path))
    wanted = {other: photograph(other).crop((250, 140, 550, 440)).resize((96, 96)) for other in SUBJECTS}
    inner = (16, 16, 80, 80)  # inside the round edge
    distances = {other: distance(found.crop(inner), picture.crop(inner)) for other, picture in wanted.items()}
    assert min(distances, key=distances.__getitem__) == name
    assert distances[name] < 40, distances


@pytest.mark.parametrize("name", SUBJECTS)
def test_looks_are_twice_the_size_of_the_white_picture_and_differ(finished: Path, name: str) -> None:
    results = finished / "out/product-shots"
    white = opened(next((results / "white").glob(f"{name}.*")))
    looks = [opened(next((results / look).glob(f"{name}.*"))) for look in ("studio", "beach")]
    for look in looks:
        assert look.size == (white.width * 2, white.height * 2)
    assert distance(*[look.resize((96, 96)) for look in looks]) > 5


def test_the_sheet_shows_all_eight_pictures(finished: Path) -> None:
    sheet = opened(finished / "out/product-shots/sheet.png")
    assert sheet.width > sheet.height
    assert not (finished / "out/product-shots/sheet.png").is_symlink()


def test_running_again_pays_nothing(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(finished)
    assert main(["run", "product-shots.yaml", "--local", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["predictions"] == {"submitted": 0, "resumed": 0, "unknown": 0}
    assert summary["tasks"]["cached"] == summary["tasks"]["total"] == 4 + 8 + 8 + 1
    assert {Path(file["path"]).parts[0] for file in summary["files"]} == {"out"}


def test_no_half_written_file_is_left(finished: Path) -> None:
    assert [path.name for path in finished.rglob("*.part")] == []
