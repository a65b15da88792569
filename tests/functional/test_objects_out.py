"""Objects as outputs: published whole, found again, never over somebody else's bytes. A real S3 server on loopback."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: shop
params:
  photos: {type: files, default: "s3://shop/inbox/*.jpg"}
  look: {type: string, default: studio}
steps:
  white:
    workflow: white-background
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}"}
    save: s3://shop/out/${{ item.stem }}.${{ ext }}
  look:
    workflow: relight
    for_each: ${{ steps.white }}
    input: {image: "${{ steps.white.file }}", prompt: "${{ params.look }}"}
    save: s3://shop/${{ params.look }}/${{ item.rel }}-${{ run.date | length }}.${{ ext }}
  sheet:
    image: [{contact-sheet: {columns: 2}}]
    input: {images: "${{ steps.look.files }}"}
    save: s3://shop/sheet.png
outputs:
  sheet: ${{ steps.sheet.file }}
  first: ${{ steps.white.files[0].path }}
"""


@pytest.fixture
def spec(project: Path) -> Path:
    path = project / "shop.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def photos(bucket, photo):
    for name in ("a", "b"):
        bucket.put(f"inbox/{name}.jpg", photo(name))
    return bucket


def one_step(project: Path, save: str, more: str = "", *, each: str = "s3://shop/inbox/*.jpg") -> Path:
    path = project / "one.yaml"
    path.write_text(
        f"""
apiVersion: speedpix-pipe/v1
name: one
steps:
  small:
    image: [{{resize: {{width: 16}}}}]
    for_each: ${{{{ glob('{each}') }}}}
    input: {{image: "${{{{ item }}}}"}}
    save: {save}
{more}"""
    )
    return path


NAMES = [
    "out/a.png",
    "out/b.png",
    "sheet.png",
    "studio/a.jpg-10.jpg",
    "studio/b.jpg-10.jpg",
]


def test_a_run_from_bucket_to_bucket(cli, spec, photos):
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    made = {file["path"]: file["sha256"] for file in ran.json["files"]}
    assert sorted(made) == [f"s3://shop/{name}" for name in NAMES]
    for path, sha256 in made.items():
        assert hashlib.sha256(photos.get(path.removeprefix("s3://shop/"))).hexdigest() == sha256
    assert ran.json["outputs"] == {"sheet": "s3://shop/sheet.png", "first": "s3://shop/out/a.png"}
    assert photos.client.head_object(Bucket="shop", Key="sheet.png")["ContentType"] == "image/png"
    assert [key for key in photos.keys("") if not key.startswith("inbox/")] == NAMES


def test_a_second_run_finds_everything_in_place(cli, spec, photos, s3):
    first = cli("run", spec, "--local", "--json").json
    s3.requests.clear()
    again = cli("run", spec, "--local", "--json")
    assert again.json["tasks"] == again.json["tasks"] | {"total": 5, "cached": 5}
    assert again.json["files"] == first["files"]
    assert {asked.method for asked in s3.requests} <= {"GET", "HEAD"}
    assert [asked for asked in s3.requests if asked.method == "GET" and "list-type" not in asked.query] == []
    assert cli("plan", spec, "--local", "--json").json["upload_bytes"] == 0


def test_a_deleted_object_is_restored_and_an_edited_one_left_alone(cli, spec, photos):
    cli("run", spec, "--local")
    photos.delete("out/a.png")
    photos.put("out/b.png", b"edited by hand")
    again = cli("run", spec, "--local", "--json")
    assert again.json["tasks"]["cached"] == 5
    assert "s3://shop/out/b.png was changed since it was saved: it is left alone" in again.err
    assert photos.get("out/b.png") == b"edited by hand"
    assert photos.get("out/a.png").startswith(b"\x89PNG")


def test_a_new_result_moves_an_edited_object_aside(cli, project, photos, photo):
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}")
    cli("run", spec, "--local")
    photos.put("out/a.jpg", b"edited by hand")
    photos.put("inbox/a.jpg", photo("new"))
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert "they are now a.edited-1.jpg" in ran.err
    assert photos.get("out/a.edited-1.jpg") == b"edited by hand"
    assert photos.get("out/a.jpg").startswith(b"\xff\xd8")
    assert cli("run", spec, "--local", "--json").json["tasks"]["cached"] == 2
    assert photos.keys("out/") == ["out/a.edited-1.jpg", "out/a.jpg", "out/b.jpg"]


def test_who_writes_between_our_look_and_our_put_is_not_overwritten(cli, project, photos, s3):
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}")

    def write(asked):
        if asked.method == "PUT" and asked.path.endswith("/out/a.jpg") and asked.headers.get("if-none-match") == "*":
            s3.before = None
            photos.put("out/a.jpg", b"another writer's")

    s3.before = write
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert s3.before is None
    assert photos.get("out/a.edited-1.jpg") == b"another writer's"
    assert photos.get("out/a.jpg").startswith(b"\xff\xd8")


def test_who_edits_between_our_copy_and_our_put_is_not_overwritten(cli, project, photos, s3):
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}")
    photos.put("out/a.jpg", b"first")

    def write(asked):
        if asked.method == "PUT" and asked.path.endswith("/out/a.jpg") and "if-match" in asked.headers:
            s3.before = None
            photos.put("out/a.jpg", b"second")

    s3.before = write
    assert cli("run", spec, "--local").code == 0
    assert s3.before is None
    assert photos.get("out/a.edited-1.jpg") == b"first"
    assert photos.get("out/a.edited-2.jpg") == b"second"
    assert photos.get("out/a.jpg").startswith(b"\xff\xd8")


def test_who_writes_right_after_our_put_is_not_taken_for_us(cli, project, photos, s3):
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}")
    put = []

    def write(asked):
        if asked.path.endswith("/out/a.jpg"):
            put.append(asked.method)
            if put[-2:] == ["PUT", "HEAD"]:
                s3.before = None
                photos.put("out/a.jpg", b"another writer's")

    s3.before = write
    assert cli("run", spec, "--local").code == 0
    assert s3.before is None
    assert photos.get("out/a.edited-1.jpg") == b"another writer's"
    assert photos.get("out/a.jpg").startswith(b"\xff\xd8")


def test_a_store_without_conditions_is_looked_at_before_each_put(cli, project, photos, s3):
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}")

    def refuse(asked):
        conditional = {"if-none-match", "if-match"} & set(asked.headers)
        return "501 Not Implemented" if asked.method == "PUT" and conditional else None

    s3.before = refuse
    photos.put("out/a.jpg", b"foreign")
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert photos.get("out/a.edited-1.jpg") == b"foreign"
    assert photos.keys("out/") == ["out/a.edited-1.jpg", "out/a.jpg", "out/b.jpg"]


# --- rules of save ---


def test_two_tasks_with_one_url_are_refused_before_anything_is_paid(cli, project, photos):
    spec = one_step(project, "s3://shop/out/same.${{ ext }}")
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 2
    assert "saves to s3://shop/out/same.ext too" in ran.json["errors"][0]["message"]
    assert photos.keys("out/") == []


def test_an_input_is_never_replaced(cli, project, photos):
    before = photos.get("inbox/a.jpg")
    spec = one_step(project, "s3://shop/inbox/${{ item.name }}")
    text = spec.read_text().replace("${{ glob('s3://shop/inbox/*.jpg') }}", "${{ params.given }}")
    spec.write_text(text.replace("steps:", "params: {given: {type: files}}\nsteps:"))
    ran = cli("run", spec, "--local", "--json", "-p", "given=s3://shop/inbox/a.jpg")
    assert ran.code == 1
    assert "s3://shop/inbox/a.jpg is read by this run" in ran.json["errors"][0]["message"]
    assert photos.get("inbox/a.jpg") == before


def test_a_save_that_the_specs_own_pattern_covers_is_refused(cli, project, photos):
    spec = one_step(project, "s3://shop/inbox/small-${{ item.stem }}.jpg")
    for command in (["validate", spec], ["run", spec, "--local"]):
        ran = cli(*command)
        assert ran.code == 2
        assert "would be found by the spec's own pattern" in ran.err + ran.out
    apart = one_step(project, "s3://other/inbox/small-${{ item.stem }}.jpg")
    assert cli("validate", apart).code == 0


@pytest.mark.parametrize(
    ("save", "words"),
    [
        ("s3://${{ item.stem }}/a.png", "the bucket must stand in the fixed text"),
        ("s3://shop", "names no object"),
        ("s3://shop/out/../${{ item.stem }}.png", "has a part `.` or `..`"),
        ("s3://shop/out//${{ item.stem }}.png", "has an empty part"),
        ("ftp://shop/${{ item.stem }}.png", "no storage known here"),
        ("s3://key:hidden@shop/${{ item.stem }}.png", "has a user or a password"),
    ],
)
def test_a_target_that_is_no_plain_url_is_refused_by_validate(cli, project, bucket, save, words):
    ran = cli("validate", one_step(project, f'"{save}"'))
    assert ran.code == 2
    assert words in ran.out + ran.err
    assert "hidden" not in ran.out + ran.err


@pytest.mark.parametrize("value", ["../up", "a//b", "/abs"])
def test_a_value_leads_out_of_no_folder(cli, project, photos, value):
    spec = one_step(project, f"s3://shop/out/${{{{ '{value}' }}}}-${{{{ item.stem }}}}.${{{{ ext }}}}")
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 2
    assert photos.keys("out") == []


def test_a_value_is_saved_as_text_or_json(cli, project, photos):
    spec = project / "describe.yaml"
    spec.write_text(
        """
apiVersion: speedpix-pipe/v1
name: words
steps:
  say:
    workflow: describe
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {image: "${{ item }}"}
    save: {text: "s3://shop/words/${{ item.stem }}.${{ ext }}"}
"""
    )
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert photos.keys("words/") == ["words/a.txt", "words/b.txt"]
    assert photos.get("words/a.txt").decode()


# --- large ones ---


def large_picture(project: Path) -> Path:
    """A picture of noise, which no format makes small."""
    import random

    from PIL import Image

    path = project / "noise.png"
    Image.frombytes("RGB", (1900, 1900), random.Random(1).randbytes(1900 * 1900 * 3)).save(path, compress_level=0)
    assert path.stat().st_size > 10_000_000
    return path


def test_a_large_result_goes_up_in_parts_and_appears_with_their_completion(cli, project, bucket, s3):
    large_picture(project)
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}", each="noise.png").read_text()
    (project / "one.yaml").write_text(spec.replace("resize: {width: 16}", "convert: {format: png}"))
    seen = []
    s3.before = lambda asked: (
        seen.extend(bucket.keys("out/")) if asked.query.startswith("uploadId") and asked.method == "POST" else None
    )
    ran = cli("run", "one.yaml", "--local", "--json")
    assert ran.code == 0, ran.err
    assert seen == []
    assert sum("partNumber" in asked.query for asked in s3.requests) >= 2
    (file,) = ran.json["files"]
    assert hashlib.sha256(bucket.get("out/noise.png")).hexdigest() == file["sha256"]


def test_parts_of_an_upload_that_failed_are_taken_back(cli, project, bucket, s3):
    large_picture(project)
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}", each="noise.png").read_text()
    (project / "one.yaml").write_text(spec.replace("resize: {width: 16}", "convert: {format: png}"))
    s3.before = lambda asked: (
        "403 Access Denied" if asked.query.startswith("uploadId") and asked.method == "POST" else None
    )
    ran = cli("run", "one.yaml", "--local", "--json")
    assert ran.code == 1
    assert "cannot save s3://shop/out/noise.png: the storage refused" in ran.json["errors"][0]["message"]
    assert bucket.client.list_multipart_uploads(Bucket="shop").get("Uploads", []) == []
    assert bucket.keys("") == []
    s3.before = None
    assert cli("run", "one.yaml", "--local", "--json").json["tasks"]["cached"] == 1


# --- what else reads files ---


def test_what_one_pipeline_saved_is_known_to_the_next_without_reading(cli, project, photos, s3):
    first = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}")
    assert cli("run", first, "--local").code == 0
    s3.requests.clear()
    second = project / "second.yaml"
    second.write_text(
        first.read_text()
        .replace("inbox/*.jpg", "out/*.jpg")
        .replace("s3://shop/out/${{", "further/${{")
        .replace("16", "8")
    )
    assert cli("plan", second, "--local", "--json").json["steps"][0]["run"] == 2
    assert s3.count("GET", ".jpg") == 0


def test_sub_pipelines_selection_report_show_and_redo_know_objects(cli, project, photos):
    (project / "inner.yaml").write_text(
        """
apiVersion: speedpix-pipe/v1
name: inner
params: {photo: {type: file}, logo: {type: file, default: "s3://shop/inbox/b.jpg"}}
steps:
  up:
    workflow: upscale
    input: {image: "${{ params.photo }}", scale: 2}
    save: s3://shop/inner/${{ params.photo.stem }}-${{ params.logo.stem }}.${{ ext }}
outputs: {big: "${{ steps.up.file }}"}
"""
    )
    spec = project / "outer.yaml"
    spec.write_text(
        """
apiVersion: speedpix-pipe/v1
name: outer
steps:
  each:
    pipeline: ./inner.yaml
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {photo: "${{ item }}"}
    save: s3://shop/outer/${{ item.stem }}.${{ ext }}
    expect: {big: {min_width: 90, not_same_as_input: true}}
"""
    )
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert photos.keys("outer/") == ["outer/a.jpg", "outer/b.jpg"]
    assert photos.keys("inner/") == ["inner/a-b.jpg", "inner/b-b.jpg"]
    shown = cli("runs", "show", ran.json["run_id"], "--json")
    assert "s3://shop/outer/a.jpg" in shown.out
    assert cli("runs", "why", "each.up@a").code == 0
    again = cli("runs", "redo", "each.up@s3://shop/inbox/a.jpg", "--json")
    assert again.code == 0, again.err
    assert again.json["predictions"]["submitted"] == 1
    only = cli("run", spec, "--local", "--json", "--only", "each@b")
    assert only.code == 0, only.err
    assert {file["key"] for file in only.json["files"]} == {"s3://shop/inbox/b.jpg"}


def test_the_gallery_shows_objects_before_and_after(cli, spec, photos):
    from PIL import Image

    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    page = cli("report")
    text = Path(page.out.strip()).read_text()
    assert '"name":"s3://shop/inbox/a.jpg"' in text.replace(": ", ":")
    assert '"name":"s3://shop/out/a.png"' in text.replace(": ", ":")
    import base64
    import re

    colours = set()
    for data in re.findall(r'"(UklG[A-Za-z0-9+/=]+)"', text):
        colours.add(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB").resize((1, 1)).getpixel((0, 0)))
    assert len(re.findall(r'"(UklG[A-Za-z0-9+/=]+)"', text)) >= 7  # two inputs, five results
    photos.delete("inbox/a.jpg")
    assert cli("report").code == 0


def test_a_run_from_bucket_to_bucket_of_oss(cli, spec, oss, photo):
    spec.write_text(SPEC.replace("s3://", "oss://"))
    for name in ("a", "b"):
        oss.put(f"inbox/{name}.jpg", photo(name))
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert sorted(key for _, key in oss.objects) == sorted(["inbox/a.jpg", "inbox/b.jpg", *NAMES])
    assert oss.objects["shop", "sheet.png"][3] == "image/png"
    assert cli("run", spec, "--local", "--json").json["tasks"]["cached"] == 5
    oss.put("out/a.png", b"edited by hand")
    assert "was changed since it was saved" in cli("run", spec, "--local").err


def test_no_endpoint_of_oss_is_told(cli, spec, oss, monkeypatch):
    import fsspec

    from speedpix_pipe.files.storage import close_storages

    monkeypatch.delenv("OSS_ENDPOINT")
    fsspec.get_filesystem_class("oss").clear_instance_cache()
    close_storages()
    ran = cli("run", spec, "--local", "-p", "photos=oss://shop/inbox/*.jpg")
    assert ran.code == 3
    assert "OSS_ENDPOINT" in ran.err


def test_cases_of_a_spec_reach_no_store(cli, spec, bucket, s3):
    (spec.parent / "shop.test.yaml").write_text(
        """
apiVersion: speedpix-pipe/test-v1
files:
  s3://shop/inbox/cup.jpg: {picture: a cup}
  s3://shop/inbox/deep/no.jpg: {picture: not this one}
cases:
  - name: one photo from bucket to bucket
    expect:
      calls: {white: 1, look: 1}
      files:
        s3://shop/out/cup.*: {count: 1, width: 64}
        s3://shop/studio/*: 1
        s3://shop/sheet.png: {format: png}
    again: {calls: 0}
"""
    )
    s3.requests.clear()
    ran = cli("test", spec)
    assert ran.code == 0, ran.out + ran.err
    assert s3.requests == []


def test_a_hot_folder_saves_to_a_bucket_and_reads_from_one(cli, project, bucket, photo):
    (project / "inbox").mkdir()
    for name in ("a", "b"):
        (project / "inbox" / f"{name}.jpg").write_bytes(photo(name))
    bucket.put("brand/logo.jpg", photo("logo"))
    spec = project / "hot.yaml"
    spec.write_text(
        """
apiVersion: speedpix-pipe/v1
name: hot
params: {photos: {type: files, default: "inbox/*.jpg"}, logo: {type: file, default: "s3://shop/brand/logo.jpg"}}
steps:
  small:
    image: [{composite: {over: "${{ params.logo }}"}}, {resize: {width: 20}}]
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}"}
    save: s3://shop/hot/${{ item.stem }}.${{ ext }}
watch: {folder: inbox, patterns: ["*.jpg"], param: photos, settle: 50ms, on_success: {move: done}}
"""
    )
    ran = cli("watch", spec, "--local", "--once")
    assert ran.code == 0, ran.err
    assert bucket.keys("hot/") == ["hot/a.jpg", "hot/b.jpg"]
    assert sorted(path.name for path in (project / "done").iterdir()) == ["a.jpg", "b.jpg"]


def test_a_run_that_was_stopped_goes_on_over_objects(cli, spec, photos):
    text = SPEC.replace("steps:", "limits: {max_predictions: 3}\nsteps:", 1)
    spec.write_text(text)
    stopped = cli("run", spec, "--local", "--json")
    assert (stopped.code, stopped.json["resumable"]) == (1, True), stopped.err
    spec.write_text(SPEC)
    photos.put("inbox/c.jpg", photos.get("inbox/a.jpg"))
    ran = cli("run", spec, "--local", "--json", "--resume")
    assert ran.code == 0, ran.err
    assert ran.json["run_id"] == stopped.json["run_id"]
    assert set(photos.keys("out/")) == {"out/a.png", "out/b.png", "out/c.png"}


def test_a_state_folder_that_is_a_url_is_refused(cli, spec, photos, monkeypatch):
    monkeypatch.setenv("SPEEDPIX_STATE_DIR", "s3://shop/state")
    for command in (["run", spec, "--local"], ["plan", spec, "--local"], ["runs", "list"], ["doctor"]):
        ran = cli(*command)
        assert ran.code == 2, command
        assert "must be a folder on this machine's disk, not a URL" in ran.err
    assert not (spec.parent / "s3:").exists()


def test_a_bucket_that_is_not_there_is_told_before_anything_is_paid(cli, project, photos):
    spec = one_step(project, "s3://nobucket/out/${{ item.stem }}.${{ ext }}")
    for command in (["run", spec, "--local", "--json"], ["plan", spec, "--local"]):
        ran = cli(*command)
        assert ran.code == 2
        assert "nothing can be saved to s3://nobucket/: no such bucket" in ran.err
    assert cli("validate", spec).code == 0


def test_a_store_that_results_cannot_reach_is_told_before_anything_is_paid(cli, project, photos, photo, monkeypatch):
    from speedpix_pipe.files.storage import close_storages

    (project / "a.jpg").write_bytes(photo("a"))
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}", each="*.jpg")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    close_storages()
    ran = cli("run", spec, "--local")
    assert ran.code == 3
    assert "AWS_ENDPOINT_URL" in ran.err


def test_who_may_write_and_not_list_can_save(cli, project, photos, photo, s3):
    (project / "a.jpg").write_bytes(photo("a"))
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}", each="*.jpg")
    s3.before = lambda asked: "403 Access Denied" if "list-type" in asked.query else None
    assert cli("run", spec, "--local").code == 0
    s3.before = None
    assert photos.keys("out/") == ["out/a.jpg"]


def test_a_missing_package_is_told_before_anything_is_paid(project, photo):
    import subprocess
    import sys

    (project / "a.jpg").write_bytes(photo("a"))
    spec = one_step(project, "s3://shop/out/${{ item.stem }}.${{ ext }}", each="*.jpg")
    code = "import sys; sys.modules['s3fs'] = None\nfrom speedpix_pipe.cli import main\nsys.exit(main(sys.argv[1:]))"
    ran = subprocess.run(
        [sys.executable, "-c", code, "run", str(spec), "--local"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "pip install 'speedpix-pipe[s3]'" in ran.stderr
