"""Objects as inputs: patterns, values, tables and plain URLs, against a real S3 server on loopback and the emulator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from speedpix_pipe.app.station import Station
from speedpix_pipe.store import Store

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: shop
params:
  photos: {type: files, default: "s3://shop/inbox/*.{jpg,png}"}
steps:
  white:
    workflow: white-background
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}"}
    save: out/${{ item.stem }}.${{ ext }}
"""


@pytest.fixture
def spec(project: Path) -> Path:
    path = project / "shop.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def photos(bucket, photo):
    """Two photos in the inbox of the bucket."""
    for name in ("a", "b"):
        bucket.put(f"inbox/{name}.jpg", photo(name))
    return bucket


def written(project: Path, steps: str, head: str = "") -> Path:
    path = project / "spec.yaml"
    path.write_text(f"apiVersion: speedpix-pipe/v1\nname: objects\n{head}steps:\n{steps}")
    return path


# --- what is found ---


def test_photos_of_a_bucket_are_run_like_photos_of_a_folder(cli, spec, bucket, photo):
    for name in ("a.jpg", "b.PNG", ".hidden.jpg", "deep/c.jpg", "notes.txt"):
        bucket.put(f"inbox/{name}", photo(name))
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert {file["key"] for file in ran.json["files"]} == {"s3://shop/inbox/a.jpg", "s3://shop/inbox/b.PNG"}


def test_a_listing_goes_on_over_its_pages_and_never_leaves_its_prefix(cli, project, bucket, s3):
    for number in range(1_050):
        bucket.put(f"many/{number:04}.txt", b"x")
    bucket.put("manyfold/0000.txt", b"x")
    s3.requests.clear()
    spec = written(
        project,
        """
  all:
    workflow: text-to-image
    for_each: ${{ glob('s3://shop/many/*.txt') | batch(1000) | list }}
    key: ${{ index }}
    when: item | length < 1000
    input: {prompt: "${{ item | length }} objects", width: 64, height: 64}
    save: out/${{ index }}.${{ ext }}
""",
    )
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["tasks"]["total"] == 2
    listings = [asked for asked in s3.requests if "list-type=2" in asked.query]
    assert len(listings) == 2
    assert all("prefix=many%2F&" in asked.query or asked.query.endswith("prefix=many%2F") for asked in listings)


def test_the_command_line_names_objects_too(cli, spec, photos):
    ran = cli("run", spec, "--local", "--json", "-p", "photos=s3://shop/inbox/b.jpg")
    assert [file["key"] for file in ran.json["files"]] == ["s3://shop/inbox/b.jpg"]
    assert cli("run", spec, "--local", "--json", "--only", "white@a", "-p", "photos=s3://shop/inbox/*").code == 0


def test_tables_values_and_plain_urls_of_objects_are_read(cli, project, photos):
    photos.put("list.csv", b"name,file\nfirst,s3://shop/inbox/a.jpg\nsecond,s3://shop/inbox/b.jpg\n")
    spec = written(
        project,
        """
  rows:
    workflow: up
    for_each: ${{ read(file('s3://shop/list.csv')) }}
    when: file(item.file).width == 48
    input: {image: "${{ file(item.file) }}", scale: 2}
    save: out/${{ item.name }}-${{ file(item.file).stem }}-${{ file(item.file).size }}.${{ ext }}
  plain:
    workflow: up
    input: {image: s3://shop/inbox/a.jpg, scale: 2}
    save: out/plain.${{ ext }}
""",
        "workflows: {up: {id: upscale, input: {image: {type: file, required: true}, scale: {type: number}}}}\n",
    )
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    size = len(photos.get("inbox/a.jpg"))
    assert f"out/first-a-{size}.jpg" in {file["path"] for file in ran.json["files"]}
    assert ran.json["tasks"] == ran.json["tasks"] | {"total": 3, "succeeded": 2, "cached": 1}  # equal content, once


# --- content counts ---


def test_the_same_bytes_here_and_there_are_one_prediction(cli, spec, photos):
    inbox = spec.parent / "inbox"
    inbox.mkdir()
    for name in ("a", "b"):
        (inbox / f"{name}.jpg").write_bytes(photos.get(f"inbox/{name}.jpg"))
    assert cli("run", spec, "--local", "--json", "-p", "photos=inbox/*.jpg").json["tasks"]["succeeded"] == 2
    there = cli("run", spec, "--local", "--json").json
    assert there["tasks"]["cached"] == 2
    assert there["predictions"]["submitted"] == 0


def test_an_unchanged_object_is_not_read_again(cli, spec, photos, s3):
    assert cli("run", spec, "--local", "--json").code == 0
    s3.requests.clear()
    again = cli("run", spec, "--local", "--json")
    assert again.json["tasks"]["cached"] == 2
    assert s3.count("GET", ".jpg") == 0
    photos.put("inbox/a.jpg", photos.get("inbox/b.jpg"))
    changed = cli("run", spec, "--local", "--json")
    assert changed.json["tasks"]["cached"] == 2  # the bytes of b are known
    assert s3.count("GET", "b.jpg") <= 1


def test_a_digest_that_s3_vouches_for_is_not_made_by_reading(cli, spec, bucket, photo, s3):
    bucket.put("inbox/a.jpg", photo("a"), ChecksumAlgorithm="SHA256")
    s3.requests.clear()
    plan = cli("plan", spec, "--local", "--json")
    assert plan.code == 0, plan.err
    reads = [asked for asked in s3.requests if asked.method == "GET" and asked.path.endswith(".jpg")]
    assert all(
        asked.headers.get("range", "").startswith("bytes=0-") for asked in reads
    )  # the first bytes, for its type


def test_an_object_that_changes_before_its_upload_starts_the_task_over(cli, spec, bucket, photo, s3):
    bucket.put("inbox/a.jpg", photo("a"))
    reads = []

    def change(asked):
        if asked.method == "GET" and asked.path.endswith("a.jpg"):
            reads.append(asked)
            if len(reads) == 2:  # the first is for the digest
                s3.before = None
                bucket.put("inbox/a.jpg", photo("changed"))

    s3.before = change
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["predictions"]["submitted"] == 1
    assert all("if-match" in asked.headers for asked in reads)
    same = spec.parent / "changed.jpg"
    same.write_bytes(photo("changed"))
    assert cli("run", spec, "--local", "--json", "-p", f"photos={same}").json["tasks"]["cached"] == 1


def test_an_object_that_keeps_changing_is_not_submitted(cli, spec, bucket, photo, s3):
    bucket.put("inbox/a.jpg", photo("0"))
    reads = []

    def change(asked):
        if asked.method == "GET" and asked.path.endswith("a.jpg"):
            reads.append(asked)
            s3.before = None
            bucket.put("inbox/a.jpg", photo(str(len(reads))))
            s3.before = change

    s3.before = change
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 1
    assert ran.json["predictions"]["submitted"] == 0
    assert "keeps changing" in ran.json["errors"][0]["message"]


def test_a_plan_counts_objects_and_does_not_read_what_is_large(cli, spec, photos, s3):
    size = sum(len(photos.get(f"inbox/{name}.jpg")) for name in ("a", "b"))
    plan = cli("plan", spec, "--local", "--json")
    assert plan.json["steps"][0]["run"] == 2
    assert plan.json["upload_bytes"] == size
    assert cli("run", spec, "--local", "--json").code == 0
    assert cli("plan", spec, "--local", "--json").json["steps"][0]["cached"] == 2
    photos.put("inbox/large.png", bytes(70 * 1024 * 1024))
    s3.requests.clear()
    plan = cli("plan", spec, "--local", "--json")
    assert (plan.json["steps"][0]["cached"], plan.json["steps"][0]["run"]) == (2, 1)
    assert plan.json["upload_bytes"] == 70 * 1024 * 1024
    assert s3.count("GET", "large.png") == 0


# --- work on this machine ---


def test_image_steps_work_objects(cli, project, photos):
    spec = written(
        project,
        """
  small:
    image: [{resize: {width: 24}}, {composite: {over: s3://shop/inbox/b.jpg}}]
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {image: "${{ item }}"}
    save: out/${{ item.stem }}.${{ ext }}
  sheet:
    image: [{contact-sheet: {columns: 2}}]
    input: {images: "${{ glob('s3://shop/inbox/*.jpg') }}"}
    save: out/sheet.png
  up:
    workflow: upscale
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {image: "${{ item }}", scale: 2}
    expect: {images: {not_same_as_input: true, min_width: 90}}
""",
    )
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert {file["path"] for file in ran.json["files"]} == {"out/a.jpg", "out/b.jpg", "out/sheet.png"}
    assert list((project / ".speedpix" / "work").glob("*/objects-*")) == []
    assert cli("run", spec, "--local", "--json").json["tasks"]["cached"] == 5


def test_other_commands_leave_the_copies_of_a_run_at_work_alone(cli, project, photos, monkeypatch):
    """They open the same state folder, and sweep it."""
    begin = Station.begin

    async def begin_and_look_away(station: Station) -> None:
        await begin(station)
        Store.open(station.store.folder).close()

    monkeypatch.setattr(Station, "begin", begin_and_look_away)
    spec = written(
        project,
        """
  small:
    image: [{resize: {width: 24}}]
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {image: "${{ item }}"}
    save: out/${{ item.stem }}.${{ ext }}
""",
    )
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["tasks"]["succeeded"] == 2


def test_an_image_step_may_lay_two_objects_over_its_picture(cli, project, photos, photo):
    photos.put("logo.png", photo("logo"))
    spec = written(
        project,
        """
  marked:
    image: [{composite: {over: s3://shop/logo.png}}, {composite: {over: s3://shop/inbox/b.jpg}}]
    input: {image: "${{ file('s3://shop/inbox/a.jpg') }}"}
    save: out/marked.${{ ext }}
""",
    )
    ran = cli("run", spec, "--json")
    assert ran.code == 0, ran.err
    with Store.open(project / ".speedpix", write=False) as store:
        (task,) = store.journal.tasks(ran.json["run_id"])
    assert [(place, path) for place, path, _ in task.input_files] == [
        ("image", "s3://shop/inbox/a.jpg"),
        ("composite.over", "s3://shop/logo.png"),
        ("composite-2.over", "s3://shop/inbox/b.jpg"),
    ]


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("s3://shop/inbox/none.jpg", "s3://shop/inbox/none.jpg"),
        ("s3://shop/none/*.jpg", "matches no object"),
        ("s3://nobucket/inbox/*.jpg", "no such bucket"),
        ("s3://shop/inbox/../a.jpg", "has a part `.` or `..`"),
        ("ftp://shop/a.jpg", "no storage known here"),
        ("s3://AKIA:hidden@shop/inbox/*.jpg", "has a user or a password in it"),
        ("s3://shop/a.jpg?X-Amz-Signature=hidden", "has a query"),
    ],
)
def test_a_wrong_url_is_told_with_its_reason_and_no_secret(cli, spec, photos, value, words):
    ran = cli("run", spec, "--local", "--json", "-p", f"photos={value}")
    assert ran.code == 2
    assert words in ran.json["errors"][0]["message"]
    assert "hidden" not in ran.out + ran.err


def test_a_missing_object_that_an_expression_names_is_found_before_anything_is_paid(cli, project, photos):
    spec = written(
        project,
        """
  up:
    workflow: upscale
    for_each: ${{ ['a', 'none'] }}
    input: {image: "${{ file('s3://shop/inbox/' ~ item ~ '.jpg') }}", scale: 2}
    save: out/${{ item }}.${{ ext }}
""",
    )
    ran = cli("run", spec, "--local", "--json")
    assert ran.code == 2
    assert "s3://shop/inbox/none.jpg" in ran.json["errors"][0]["message"]
    assert ran.json["predictions"]["submitted"] == 0


def test_a_store_out_of_reach_is_told_with_what_was_tried_and_what_to_do(cli, spec, photos, monkeypatch):
    from speedpix_pipe.files.storage import close_storages

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    close_storages()
    for command in ("run", "plan"):
        ran = cli(command, spec, "--local")
        assert ran.code == 3
        assert "s3://shop/inbox/" in ran.err
        assert "AWS_ENDPOINT_URL" in ran.err
    assert cli("validate", spec).code == 0


def test_no_credentials_is_told(cli, spec, photos, monkeypatch):
    from speedpix_pipe.files.storage import close_storages

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    close_storages()
    ran = cli("run", spec, "--local")
    assert ran.code == 3
    assert "no credentials for S3 were found" in ran.err
    assert "AWS_PROFILE" in ran.err


def test_validate_asks_no_store(cli, spec, bucket, s3):
    for arguments in ([], ["-p", "photos=s3://shop/none/*.jpg"]):
        assert cli("validate", spec, *arguments).code == 0
    assert s3.requests == []


def test_a_missing_package_says_what_to_install(spec):
    code = (
        "import sys; sys.modules['s3fs'] = sys.modules['ossfs'] = None\n"
        "from speedpix_pipe.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    for url, package in (("s3://shop/*.jpg", "pip install 'speedpix-pipe[s3]'"), ("oss://shop/*.jpg", "ossfs")):
        for command in ("run", "plan"):
            arguments = [sys.executable, "-c", code, command, str(spec), "--local", "-p", f"photos={url}"]
            ran = subprocess.run(arguments, capture_output=True, text=True, check=False)
            assert ran.returncode == 2
            assert package in ran.stderr


def test_nothing_of_fsspec_is_imported_unless_a_url_is_used(project, photo):
    (project / "a.jpg").write_bytes(photo("a"))
    spec = project / "spec.yaml"
    spec.write_text(SPEC.replace("s3://shop/inbox/*.{jpg,png}", "*.jpg"))
    code = (
        "import sys\nfrom speedpix_pipe.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "loud = {name.partition('.')[0] for name in sys.modules} & {'fsspec', 's3fs', 'botocore', 'aiobotocore', 'ossfs'}\n"
        "sys.exit(str(loud) if loud else 0)"
    )
    for arguments in (["validate", "spec.yaml"], ["plan", "spec.yaml", "--local"], ["run", "spec.yaml", "--local"]):
        ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr


def test_an_object_that_two_steps_begin_with_is_read_once_for_its_digest(cli, project, bucket, photo, s3):
    bucket.put("inbox/a.jpg", photo("a"))
    spec = written(
        project,
        """
  small:
    image: [{resize: {width: 24}}]
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {image: "${{ item }}"}
  large:
    image: [{resize: {width: 96}}]
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {image: "${{ item }}"}
outputs: {small: "${{ steps.small.files }}", large: "${{ steps.large.files }}"}
""",
    )
    s3.requests.clear()
    assert cli("run", spec, "--local").code == 0
    assert s3.count("GET", "a.jpg") == 3  # one digest, and a copy for each picture
    assert sum("list-type" in asked.query for asked in s3.requests) == 1


def test_no_request_to_a_store_is_made_on_the_event_loops_thread(cli, project, photo, tmp_path, monkeypatch):
    import asyncio

    from speedpix_pipe.files import ObjectUrl
    from speedpix_pipe.files.storage import standing_in
    from speedpix_pipe.files.storage.folder import FolderStorage, stand_in_path

    asked = []

    def watched(name):
        real = getattr(FolderStorage, name)

        def call(storage, *args, **kwargs):
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                asked.append(name)
                return real(storage, *args, **kwargs)
            raise AssertionError(f"{name} on the loop's thread")

        monkeypatch.setattr(FolderStorage, name, call)

    for name in ("look", "list", "read", "put", "copy"):
        watched(name)
    spec = written(
        project,
        """
  each:
    workflow: upscale
    for_each: ${{ glob('s3://shop/in/*.jpg') }}
    matrix: {size: "${{ read(file('s3://shop/sizes.json')) }}"}
    key: ${{ item.stem }}-${{ item.size }}
    when: item.width == 48 and file('s3://shop/in/a.jpg').height == 32
    input: {image: "${{ item }}", scale: "${{ matrix.size }}"}
    save: s3://shop/out/${{ item.sha256[:8] }}-${{ matrix.size }}-${{ file('s3://shop/note.txt').size }}.${{ ext }}
    expect: {images: {min_bytes: "${{ file('s3://shop/note.txt').size }}"}}
  sheet:
    image: [{composite: {over: "s3://shop/in/a.jpg"}}]
    input: {image: "${{ file('s3://shop/in/b.jpg') }}"}
    save: s3://shop/sheet.png
  words:
    workflow: text-to-image
    for_each: ${{ steps.each.files | map(attribute='size') | list }}
    key: ${{ index }}
    input: {prompt: "the same for all", width: 64, height: 64}
    save: out/${{ index }}-${{ glob('s3://shop/in/*.jpg')[index % 2].sha256[:6] }}.${{ ext }}
  inner:
    pipeline: ./inner.yaml
    input: {photo: "${{ file('s3://shop/in/a.jpg') }}"}
    save: s3://shop/inner.png
    expect: {big: {min_width: "${{ file('s3://shop/in/a.jpg').width }}"}}
outputs: {note: "${{ read(file('s3://shop/note.txt')) }}", wide: "${{ file('s3://shop/in/b.jpg').width }}"}
""",
    )
    (project / "inner.yaml").write_text(
        """
apiVersion: speedpix-pipe/v1
name: inner
params: {photo: {type: file}, more: {type: files, default: "s3://shop/in/*.jpg"}}
steps:
  up: {workflow: upscale, input: {image: "${{ params.photo }}", scale: "${{ params.more | length }}"}}
outputs: {big: "${{ steps.up.file }}"}
"""
    )
    with standing_in(tmp_path / "objects"):
        texts = {"sizes.json": b"[2, 3]", "note.txt": b"a note"}
        for key, data in {"in/a.jpg": photo("a"), "in/b.jpg": photo("b"), **texts}.items():
            path = stand_in_path(tmp_path / "objects", ObjectUrl(f"s3://shop/{key}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for _ in range(2):
            ran = cli("run", spec, "--local", "--json")
            assert ran.code == 0, ran.err
            assert ran.json["outputs"] == {"note": "a note", "wide": 48}
        assert ran.json["tasks"] == ran.json["tasks"] | {
            "total": 11,
            "cached": 10,
            "succeeded": 1,
        }  # the inner pipeline
        assert cli("plan", spec, "--local").code == 0
    assert set(asked) == {"look", "list", "read", "put"}
