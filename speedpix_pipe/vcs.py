"""Git, asked by subprocess: which commit a spec is at, whether it was changed, and how it looked at a revision.

Where git or a repository is absent there is nothing to say (None); a revision or a file that does not exist is
the user's slip (UsageError). Nothing here changes a repository: no locks are taken, no hooks are run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.errors import UsageError
from speedpix_pipe.records import dataclass

if TYPE_CHECKING:
    import subprocess

TIMEOUT_SECONDS = 20.0
# fsmonitor is a program that a repository may name: looking at a spec must not start it
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false")


@dataclass(frozen=True, slots=True)
class GitFacts:
    """What expressions see as `git`: the commit of the spec's repository, and whether tracked files differ from it."""

    commit: str
    dirty: bool


def facts(spec: Path) -> GitFacts | None:
    """Commit and state of the repository that holds the spec, or None. A spec that git does not know is dirty."""
    folder = _existing_folder(spec)
    commit = _text(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return None
    changed = _text(folder, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty")
    known = _text(folder, "ls-files", "--error-unmatch", "--", str(spec.resolve()))
    return GitFacts(commit, dirty=bool(changed) or changed is None or known is None)


def resolve(revision: str, path: Path) -> str:
    """The full commit id that a revision means in the repository of this path."""
    folder = _existing_folder(path)
    _root(folder, path)
    wanted = f"{revision}^{{commit}}"
    commit = None
    if revision and "\0" not in revision:
        commit = _text(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
    if commit is None:
        raise UsageError(
            f"{revision!r} is no revision of this repository",
            code="usage.bad-revision",
            hint="give a commit, branch or tag, as `git log` shows them; HEAD~1 is the one before the last",
        )
    return commit


def show(revision: str, path: Path) -> bytes:
    """The bytes of a file as they are in git at this revision. The file need not exist in the working tree."""
    commit = resolve(revision, path)
    real = path.resolve()
    folder = _existing_folder(real)
    try:
        name = real.relative_to(_root(folder, path).resolve()).as_posix()
    except ValueError as error:
        raise UsageError(f"{path} is outside its repository", code="usage.bad-revision") from error
    done = _run(folder, "cat-file", "blob", f"{commit}:{name}")
    if done is None or done.returncode != 0:
        raise UsageError(
            f"{name} does not exist at {revision}",
            code="usage.not-in-revision",
            hint=f"see its history: git log --oneline -- {name}",
        )
    return done.stdout


def _root(folder: Path, path: Path) -> Path:
    root = _text(folder, "rev-parse", "--show-toplevel")
    if root is None:
        raise UsageError(
            f"{path} is not in a git repository (or git is not installed)",
            code="usage.no-repository",
            hint="--rev reads the spec from git; leave it out to use the file as it is",
        )
    return Path(root)


def _existing_folder(path: Path) -> Path:
    """The nearest folder above that exists: a file of an old revision may have lost its folder."""
    return next(folder for folder in path.resolve().parents if folder.is_dir())


def _text(folder: Path, *arguments: str) -> str | None:
    done = _run(folder, *arguments)
    if done is None or done.returncode != 0:
        return None
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    import subprocess  # most specs never ask git anything

    try:
        return subprocess.run(
            [*_GIT, "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
