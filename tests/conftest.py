"""What every test gets: a clean home and environment, and `--update-golden` to renew expected texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from speedpix_pipe.emulator import EmulatorThread
    from tests.objects import Bucket, S3Server
    from tests.oss import OssServer

HERE = Path(__file__).parent
LONG = {"crash", "functional", "browser", "test_docs.py"}
_OWN = ("SPEEDPIX_", "XDG_", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "AWS_", "OSS_")
_PROXY = "_PROXY"  # for each kind of URL, in either spelling
_SIZE = ("COLUMNS", "LINES")  # of the terminal where the tests were started: readline, which pytest loads, exports it


# The same examples each time, however long a busy machine takes for one.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write expected texts anew instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of few but long tests first: last, they would be worked by one process while the others have nothing."""
    items.sort(key=lambda item: item.path.relative_to(HERE).parts[0] not in LONG)


@pytest.fixture(autouse=True)
def clean_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No setting, credential or cache of whoever runs the tests reaches them."""
    import os

    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_OWN) or name in _SIZE or name.upper().endswith(_PROXY):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # English, also where somebody works in Chinese
    return home


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compares a text with a file, or writes the file under `--update-golden`."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path.name} is missing; run the test with --update-golden and read what it wrote"
        assert text == path.read_text(encoding="utf-8")

    return compare


@dataclass(frozen=True)
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of stdout, which is where commands put their JSON."""
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Carries out a command line in this process."""
    from speedpix_pipe.cli import main

    def carry_out(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return carry_out


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorThread]:
    """The service on a free loopback port; the environment names it, as it would the real one."""
    from speedpix_pipe.emulator import EmulatorThread

    with EmulatorThread() as running:
        monkeypatch.setenv("SPEEDPIX_ENDPOINT", running.url)
        monkeypatch.setenv("SPEEDPIX_APP_KEY", "local")
        monkeypatch.setenv("SPEEDPIX_APP_SECRET", "local")
        yield running


@pytest.fixture(scope="session")
def s3_service() -> Iterator[S3Server]:
    """One S3 server for all tests of a process."""
    from tests.objects import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_service: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """An S3 server with nothing in it; the environment names it, as it would a real one."""
    import urllib.request

    from tests.objects import forget_connections

    urllib.request.urlopen(urllib.request.Request(f"{s3_service.url}/moto-api/reset", method="POST")).close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_service.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    forget_connections("s3")
    s3_service.requests.clear()
    s3_service.before = None
    yield s3_service
    s3_service.before = None
    forget_connections("s3")


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[Bucket]:
    """The bucket `shop`, empty."""
    from tests.objects import open_bucket

    made = open_bucket(s3.url, "shop")
    s3.requests.clear()
    yield made
    made.client.close()


@pytest.fixture
def photo() -> Callable[[str], bytes]:
    """The bytes of a small photo, another for each name."""
    import hashlib
    import io

    from PIL import Image

    def make(name: str) -> bytes:
        colour = hashlib.sha256(name.encode()).digest()
        image = Image.new("RGB", (48, 32), (colour[0], colour[1], colour[2]))
        image.paste((colour[3], colour[4], colour[5]), (8, 8, 40, 24))
        held = io.BytesIO()
        image.save(held, "JPEG")
        return held.getvalue()

    return make


@pytest.fixture
def oss(monkeypatch: pytest.MonkeyPatch) -> Iterator[OssServer]:
    """An OSS server with an empty bucket `shop`; the environment names it, as it would the real one."""
    import fsspec

    from tests.objects import forget_connections
    from tests.oss import oss_server

    with oss_server() as server:
        monkeypatch.setenv("OSS_ENDPOINT", server.url)
        monkeypatch.setitem(fsspec.config.conf, "oss", {"key": "test", "secret": "test"})
        forget_connections("oss")
        yield server
        forget_connections("oss")
