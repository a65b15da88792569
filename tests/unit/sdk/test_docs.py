import re
from pathlib import Path

import pytest

from speedpix_pipe import sdk

DOCS = Path(__file__).parents[3] / "docs"
PAGE = "\n".join(page.read_text("utf-8") for page in sorted(DOCS.glob("sdk*.md")))
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_runs(block, service, wire, tmp_path, monkeypatch):
    for name, value in (("APP_KEY", wire.KEY), ("APP_SECRET", wire.SECRET), ("ENDPOINT", service.url)):
        monkeypatch.setenv(f"SPEEDPIX_{name}", value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    sdk.set_default_client(None)
    exec(compile(block, "docs/sdk*.md", "exec"), {"__name__": "example"})
    sdk.set_default_client(None)
    assert service.seen


def test_every_option_of_the_client_is_documented():
    import inspect

    for name in inspect.signature(sdk.AsyncSpeedPix).parameters:
        assert f"`{name}`" in PAGE


def test_every_attribute_of_a_prediction_is_documented():
    for name in vars(sdk.Prediction):
        if not name.startswith("_"):
            assert name in PAGE
