"""Writes the synchronous face of the SDK, and its tests, from the asynchronous ones.

    python _tools/unasync.py          write
    python _tools/unasync.py --check  say what is stale, change nothing, exit 1 if anything is

The rules are few on purpose. `async` and `await` go; names lose their `Async` or `async_`; a handful of methods have
another name. Where the faces differ by more, a comment says so: `# unasync: insert CODE` becomes that code, and
`# unasync: append to next TEXT` puts the text at the end of the next line. The result is formatted by ruff.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAIRS = (
    (ROOT / "speedpix_pipe/sdk/_async", ROOT / "speedpix_pipe/sdk/_sync"),
    (ROOT / "tests/unit/sdk/_async", ROOT / "tests/unit/sdk/_sync"),
)
NOTE = "# Written by _tools/unasync.py from {source}; edit that and run it again.\n"

RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\basync (def|for|with)\b", r"\1"),
        (r"\bawait ", ""),
        (r"\bAsync([A-Z]\w*)", r"\1"),
        (r"\basync_(\w+)", r"\1"),
        (r"\b_async\b", "_sync"),
        (r"\basynchronous\b", "synchronous"),
        (r"\bhandle_async_request\b", "handle_request"),
        (r"\baclose\b", "close"),
        (r"\baread\b", "read"),
        (r"\baiter_(raw|bytes)\b", r"iter_\1"),
        (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
        (r"\bStopAsyncIteration\b", "StopIteration"),
        (r"\bAwaitable\[([^\[\]]*)\]", r"\1"),
        (r"  # noqa: ASYNC\d+.*$", ""),
    )
)
INSERT = re.compile(r"^(\s*)# unasync: insert (.*)$")
APPEND = re.compile(r"^\s*# unasync: append to next(  .*)$")


def translate(text: str) -> str:
    """The synchronous twin of an asynchronous module."""
    lines, ending = [], ""
    for line in text.splitlines():
        if match := INSERT.match(line):
            lines.append(match.group(1) + match.group(2))
            continue
        if match := APPEND.match(line):
            ending = match.group(1)
            continue
        changed = line
        for pattern, replacement in RULES:
            changed = pattern.sub(replacement, changed)
        lines.append(changed + ending)
        ending = ""
    return "\n".join(lines) + "\n"


def tidy(text: str, name: str) -> str:
    """Sort imports and format, as `make fmt` would."""
    # Ours by name: ruff would else look whether the module exists, and the first run would sort otherwise.
    ours = ["--config", 'lint.isort.known-first-party = ["speedpix_pipe"]']
    for command in (
        ["check", "--select", "I001,F401", "--fix", "--exit-zero", "--quiet", *ours],
        ["format", "--quiet"],
    ):
        # Under a bare name at the top: the generated folder itself is excluded from ruff.
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", name, "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        text = done.stdout
    return text


def wanted() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    files = {}
    for source_folder, target_folder in PAIRS:
        for source in sorted(source_folder.glob("*.py")):
            note = NOTE.format(source=source.relative_to(ROOT).as_posix())
            files[target_folder / source.name] = tidy(note + translate(source.read_text("utf-8")), source.name)
    return files


def stale(files: dict[Path, str]) -> list[Path]:
    """What is missing, differs, or has no source any more."""
    found = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    for _, target_folder in PAIRS:
        found += [path for path in target_folder.glob("*.py") if path not in files]
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Generate the synchronous face of the SDK.")
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    options = parser.parse_args(arguments)
    files = wanted()
    for path in stale(files):
        if options.check:
            print(f"stale: {path.relative_to(ROOT)} (run: python _tools/unasync.py)")
        elif path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
        else:
            path.unlink()
    return 1 if options.check and stale(files) else 0


if __name__ == "__main__":
    raise SystemExit(main())
