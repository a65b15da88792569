"""A run from bucket to bucket on a real Dask cluster: workers read and write objects with credentials of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.cluster import cluster

pytestmark = [pytest.mark.slow, pytest.mark.dask, pytest.mark.timeout(120)]

SPEC = """
apiVersion: speedpix-pipe/v1
name: shop
steps:
  white:
    workflow: white-background
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {image: "${{ item }}"}
    save: s3://shop/white/${{ item.stem }}.${{ ext }}
  small:
    image: [{resize: {width: 16}}]
    for_each: ${{ glob('s3://shop/inbox/*.jpg') }}
    input: {image: "${{ item }}"}
    save: s3://shop/small/${{ item.stem }}.${{ ext }}
"""


@pytest.fixture
def spec(project: Path, bucket, photo) -> Path:
    path = project / "shop.yaml"
    path.write_text(SPEC)
    for name in ("a", "b", "c"):
        bucket.put(f"inbox/{name}.jpg", photo(name))
    return path


def who(asked) -> str:
    return asked.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]


@pytest.mark.parametrize("reach", ["able", "unable"])
def test_a_run_from_bucket_to_bucket_on_a_cluster(cli, spec, bucket, s3, emulator, tmp_path, reach):
    theirs = {
        "AWS_ENDPOINT_URL": s3.url if reach == "able" else "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "worker",
        "AWS_SECRET_ACCESS_KEY": "hidden-secret",
        "AWS_MAX_ATTEMPTS": "1",
    }
    s3.requests.clear()
    with cluster(tmp_path / "cluster", workers=2, environment=theirs) as running:
        ran = cli("run", spec, "--json", "--executor", "dask", "--scheduler", running.address)
        logs = running.logs()
    assert ran.code == 0, ran.err
    made = {file["path"].removeprefix("s3://shop/"): file["sha256"] for file in ran.json["files"]}
    assert sorted(made) == [
        f"{step}/{name}"
        for step, end in (("small", "jpg"), ("white", "png"))
        for name in (f"a.{end}", f"b.{end}", f"c.{end}")
    ]
    for key, sha256 in made.items():
        assert hashlib.sha256(bucket.get(key)).hexdigest() == sha256
    puts = [asked for asked in s3.requests if asked.method == "PUT" and asked.path.endswith((".jpg", ".png"))]
    assert len(puts) == 6
    assert {who(asked) for asked in puts} == ({"worker"} if reach == "able" else {"test"})
    assert "hidden-secret" not in logs + ran.out + ran.err
    again = cli("run", spec, "--json")
    assert again.json["tasks"]["cached"] == 6
