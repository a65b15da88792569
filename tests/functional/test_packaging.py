"""What is published: built twice alike, installed where nothing else is, and at work there.

The index that this machine installs from has to be there. Without it these tests are skipped, and fail in a CI.
"""

from __future__ import annotations

import email
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from speedpix_pipe import __version__

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
NO_INDEX = re.compile(r"No matching distribution|NewConnectionError|Could not fetch|Temporary failure|ReadTimeoutError")
BROKEN_OFF = re.compile(
    r"HTTP error (429|5\d\d)|\b(429 Client|5\d\d Server) Error\b|too many (429|5\d\d) error responses"
    r"|Connection aborted|ProtocolError|IncompleteRead|incomplete-download"
)
PIP = ("--disable-pip-version-check", "--quiet")
SURROUNDINGS = dict(os.environ)  # of whoever runs the tests: how this machine reaches its index


def copied(target):
    """The sources as git has them, edits included, with times of their own; without git, all of them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(".*", "site", "__pycache__"))
        return target
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def built(sources, target):
    """The wheel and the sdist of some sources."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target)], cwd=sources, capture_output=True, check=True
    )
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return wheel, sdist


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return copied(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def made(sources, tmp_path_factory):
    return built(sources, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def metadata(made):
    with zipfile.ZipFile(made[0]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        return email.message_from_bytes(wheel.read(name))


@pytest.fixture(scope="module")
def clean(made, tmp_path_factory):
    """A virtual environment with the wheel and what it needs, and nothing else."""
    place = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(place, with_pip=True)
    install(place, str(made[0]))
    return place


def install(place, *what):
    command = [place / "bin" / "python", "-m", "pip", "install", *PIP, "--no-compile", *what]
    for pause in (2, 5, 0):  # pip does not begin every broken download and throttled call again
        done = subprocess.run(command, env=SURROUNDINGS, capture_output=True, text=True, check=False)
        if not done.returncode or not BROKEN_OFF.search(done.stderr):
            break
        time.sleep(pause)
    if done.returncode and (NO_INDEX.search(done.stderr) or BROKEN_OFF.search(done.stderr)):
        told = f"the package index does not answer: {done.stderr.strip().splitlines()[-1]}"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    assert done.returncode == 0, done.stderr


def speedpix(place, folder, *arguments):
    surroundings = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    program = place / "bin" / "speedpix-pipe"
    return subprocess.run(
        [program, *arguments], cwd=folder, env=surroundings, capture_output=True, text=True, check=False
    )


def test_built_twice_it_is_the_same_to_the_byte(made, tmp_path):
    again = built(copied(tmp_path / "elsewhere"), tmp_path / "again")
    assert [path.name for path in again] == [path.name for path in made]
    assert [digest(path) for path in again] == [digest(path) for path in made]


def test_the_sdist_holds_all_that_the_wheel_is_made_of(made, tmp_path):
    with tarfile.open(made[1]) as sdist:
        sdist.extractall(tmp_path, filter="data")
        names = {name.partition("/")[2] for name in sdist.getnames()}
    (unpacked,) = tmp_path.iterdir()
    assert digest(built(unpacked, tmp_path / "dist")[0]) == digest(made[0])
    assert {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "schemas/pipeline.v1.schema.json"} <= names
    assert not [name for name in names if name.startswith((".venv", ".speedpix", "site/"))]


def test_the_wheel_holds_the_package_and_nothing_else(made):
    with zipfile.ZipFile(made[0]) as wheel:
        names = wheel.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"speedpix_pipe", f"speedpix_pipe-{__version__}.dist-info"}
    for needed in (
        "py.typed",
        "schemas/pipeline.v1.schema.json",
        "templates/minimal/pipeline.yaml",
        "report/templates/start.js",
    ):
        assert f"speedpix_pipe/{needed}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_metadata_say_what_it_is(metadata):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == (
        "speedpix-pipe", __version__, "Apache-2.0",
    )  # fmt: skip
    assert set(metadata.get_all("Provides-Extra")) == {"dask", "docs", "s3", "ui"}
    plain = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert len(plain) == len(project["dependencies"])
    assert project["scripts"].keys() == {project["name"]}  # so that `pipx run speedpix-pipe` finds its program


def test_installed_where_nothing_else_is_it_works(clean, tmp_path):
    assert speedpix(clean, tmp_path, "--version").stdout == f"speedpix-pipe {__version__}\n"
    begun = speedpix(clean, tmp_path, "init", "shop", "--template", "minimal")
    assert begun.returncode == 0, begun.stderr
    checked = speedpix(clean, tmp_path / "shop", "validate", "pipeline.yaml")
    assert (checked.returncode, checked.stderr) == (0, "")
    ran = speedpix(clean, tmp_path / "shop", "run", "pipeline.yaml", "--local")
    assert ran.returncode == 0, ran.stderr
    assert all((tmp_path / "shop" / line).is_file() for line in ran.stdout.splitlines())
    report = speedpix(clean, tmp_path / "shop", "report")
    assert Path(report.stdout.strip()).is_file(), report.stderr
    missing = speedpix(clean, tmp_path / "shop", "ui")
    assert "pip install 'speedpix-pipe[ui]'" in missing.stderr


def test_the_sdist_installs_too(clean, made, tmp_path):
    install(clean, "--force-reinstall", "--no-deps", str(made[1]))
    assert speedpix(clean, tmp_path, "schema").stdout.startswith("{")


# --- licences ---

PERMISSIVE = re.compile(
    r"(MIT|MIT-CMU|BSD|BSD-[23]-Clause|Apache-2\.0|PSF-2\.0|MPL-2\.0|ISC|0BSD)"
    r"( (AND|OR) (MIT|BSD|BSD-[23]-Clause|Apache-2\.0|PSF-2\.0))*"
)


def licences():
    page = (ROOT / "docs" / "licences.md").read_text("utf-8")
    return dict(re.findall(r"^\| ([\w.-]+) \| ([^|]+) \|", page, re.MULTILINE)[1:])


def test_every_licence_may_be_used_with_ours():
    assert len(licences()) > 20
    assert {name: text for name, text in licences().items() if not PERMISSIVE.fullmatch(text.strip())} == {}


def test_what_every_installation_brings_is_listed_with_its_licence():
    import importlib.util

    found = importlib.util.spec_from_file_location("licences_tool", ROOT / "_tools" / "licences.py")
    tool = importlib.util.module_from_spec(found)
    found.loader.exec_module(tool)
    wanted = tool.declared()
    listed = licences()
    for name, package in tool.closure(wanted[""]):
        assert listed.get(name) == tool.licence_of(package), f"{name}: run python _tools/licences.py"
    for extra, requirements in wanted.items():
        for requirement in requirements if extra else ():
            assert re.match(r"[\w.-]+", requirement)[0].lower() in listed, requirement
