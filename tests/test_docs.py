"""The docs against the code and against themselves: links lead somewhere, examples run, nothing is left out."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from speedpix_pipe import events, settings
from speedpix_pipe.cli import COMMANDS, main
from speedpix_pipe.cli.base import load

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "README.zh-CN.md"])
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([a-z]+\.[a-z0-9-]+)`")
ROOMS_WITH_CODES = (
    "yaml|spec|usage|expression|files|save|plan|run|store|access|executor|pipe|task|watch|emulator|output"
)
# Codes of whole classes, which nothing carries alone; and names of another kind that look like codes.
NO_CODES = re.compile(
    r".*\.(error|failed|js|html|css)|store\.call|expression\.unknown-value|output\.(record|folder|swept|synced|renamed|put|copied-aside)|watch\.folder"
)


def names(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return [text for found, text in FENCE.findall(page.read_text("utf-8")) if found == language]


def prose(page):
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page):
    """The addresses of a page's headings, as GitHub and the site both make them."""
    found = set()
    for line in prose(page).splitlines():
        if line.startswith("#"):
            title = re.sub(r"[`*]|\[|\]\([^)]*\)", "", line.lstrip("#").strip()).lower()
            found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


# --- links ---


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_to_pages_and_headings_that_are_there(page):
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_is_in_the_sites_menu():
    class Loader(yaml.SafeLoader):
        pass

    menu = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader)["nav"]

    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        return [page for inner in (entry.values() if isinstance(entry, dict) else entry) for page in pages(inner)]

    written = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert sorted(written ^ set(pages(menu))) == [], "nav in mkdocs.yml and the pages in docs/ are not the same"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("material", reason="make docs installs it")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tutorial.html").is_file()


# --- examples ---


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_tutorial_runs_word_for_word(tmp_path):
    script = "\n".join(["set -euo pipefail", *blocks(DOCS / "tutorial.md", "sh")])
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    shop = tmp_path / "shop"
    assert (shop / "out" / "sheet.png").is_file()
    assert (shop / "drop" / "done" / "new-bowl.jpg").is_file()
    assert (shop / "out" / "small" / "new-bowl.png").is_file() or list((shop / "out" / "small").glob("new-bowl.*"))


@pytest.mark.parametrize("number", range(len(blocks(DOCS / "recipes.md", "yaml"))))
def test_a_recipe_is_a_valid_spec(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(blocks(DOCS / "recipes.md", "yaml")[number], "utf-8")
    assert main(["validate", "recipe.yaml", "--no-files"]) == 0
    assert "error" not in capsys.readouterr().err


@pytest.mark.parametrize("page", [DOCS / "emulator.md", DOCS / "events.md"], ids=names)
def test_python_blocks_run(page, capsys):
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), {"__name__": "example"})


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_python_blocks_are_python_and_import_what_exists(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("speedpix_pipe"):
                names_of = [alias.name for alias in node.names]
                module = __import__(node.module, fromlist=names_of)  # submodules too
                assert [name for name in names_of if not hasattr(module, name)] == []


# --- nothing is left out ---


def commands(table=COMMANDS, before=""):
    for name, (module, _) in table.items():
        inner = getattr(load(module), "COMMANDS", None)
        if inner is None:
            yield before + name
        else:
            yield from commands(inner, f"{before}{name} ")


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_is_documented(command):
    text = (DOCS / "cli.md").read_text("utf-8")
    assert f"<!-- options: {command} -->" in text


def test_every_setting_is_documented():
    text = (DOCS / "settings.md").read_text("utf-8")
    for name in (settings.APP_KEY, settings.APP_SECRET, settings.ENDPOINT, settings.STATE_DIR, settings.LANGUAGE):
        assert f"`{name}`" in text


def test_every_event_is_documented():
    text = (DOCS / "events.md").read_text("utf-8")
    assert [kind.__name__ for kind in events.Event.__args__ if f"`{kind.__name__}`" not in text] == []


def test_every_error_code_is_documented():
    """Codes that a PipeError may carry; those of the SDK are the service's own."""
    pattern = re.compile(rf"\"((?:{ROOMS_WITH_CODES})\.[a-z0-9][a-z0-9-]*)\"")
    used = {
        code
        for path in (ROOT / "speedpix_pipe").rglob("*.py")
        if "emulator" not in path.parts and "sdk" not in path.parts
        for code in pattern.findall(path.read_text("utf-8"))
    }
    documented = set(CODE.findall((DOCS / "errors.md").read_text("utf-8")))
    assert sorted(code for code in used - documented if not NO_CODES.fullmatch(code)) == []


# --- the Chinese README is the same page ---


def skeleton(page):
    """What both languages must share: headings, programs without their comments, tables' sizes, where links lead."""
    text = page.read_text("utf-8")
    program = [
        (language, [line.partition("#")[0].rstrip() for line in body.splitlines()])
        for language, body in FENCE.findall(text)
    ]
    links = [link.replace(".zh-CN", "") for link in LINK.findall(prose(page)) if not link.startswith("README")]
    levels = [len(line) - len(line.lstrip("#")) for line in prose(page).splitlines() if line.startswith("#")]
    rows = sum(line.startswith("|") for line in prose(page).splitlines())
    points = sum(line.startswith("* ") for line in prose(page).splitlines())
    return {"headings": levels, "programs": program, "links": sorted(links), "rows": rows, "points": points}


def test_the_chinese_readme_says_the_same():
    assert skeleton(ROOT / "README.zh-CN.md") == skeleton(ROOT / "README.md")
