"""Git, asked about real repositories."""

from __future__ import annotations

import subprocess

import pytest

from speedpix_pipe import vcs
from speedpix_pipe.errors import UsageError


def git(folder, *arguments) -> str:
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, "-C", folder, *arguments], capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repo"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "spec.yaml").write_text("one\n")
    (folder / "sub" / "外.yaml").write_text("sub one\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    (folder / "spec.yaml").write_text("two\n")
    git(folder, "commit", "-q", "-a", "-m", "two")
    return folder


def test_commit_of_a_clean_repository(repository):
    assert vcs.facts(repository / "spec.yaml") == vcs.GitFacts(git(repository, "rev-parse", "HEAD"), dirty=False)


def test_a_change_makes_it_dirty(repository):
    (repository / "sub" / "外.yaml").write_text("changed\n")
    assert vcs.facts(repository / "spec.yaml").dirty


def test_pictures_that_git_does_not_know_do_not_make_it_dirty(repository):
    (repository / "out.png").write_bytes(b"x")
    assert not vcs.facts(repository / "spec.yaml").dirty


def test_a_spec_that_git_does_not_know_is_dirty(repository):
    (repository / "new.yaml").write_text("new\n")
    assert vcs.facts(repository / "new.yaml").dirty


def test_no_repository_no_facts(tmp_path):
    assert vcs.facts(tmp_path / "spec.yaml") is None


def test_no_commit_no_facts(tmp_path):
    git(tmp_path, "init", "-q")
    assert vcs.facts(tmp_path / "spec.yaml") is None


def test_no_git_no_facts(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert vcs.facts(repository / "spec.yaml") is None


def test_a_file_as_it_was(repository):
    assert vcs.show("HEAD~1", repository / "spec.yaml") == b"one\n"
    assert vcs.show("main", repository / "spec.yaml") == b"two\n"


def test_a_file_whose_folder_is_gone(repository):
    (repository / "sub" / "外.yaml").unlink()
    (repository / "sub").rmdir()
    assert vcs.show("HEAD", repository / "sub" / "外.yaml") == b"sub one\n"


def test_a_file_through_a_link(repository, tmp_path):
    (tmp_path / "link").symlink_to(repository)
    assert vcs.show("HEAD", tmp_path / "link" / "spec.yaml") == b"two\n"


@pytest.mark.parametrize("revision", ["nonsense", "", "--help", "-p", "a\0b", "HEAD:spec.yaml"])
def test_a_bad_revision_says_what_to_do(repository, revision):
    with pytest.raises(UsageError, match="no revision") as caught:
        vcs.show(revision, repository / "spec.yaml")
    assert "git log" in caught.value.hint


def test_a_file_that_was_not_there_yet(repository):
    (repository / "new.yaml").write_text("new\n")
    with pytest.raises(UsageError, match=r"new\.yaml does not exist at HEAD"):
        vcs.show("HEAD", repository / "new.yaml")


def test_outside_a_repository_a_revision_means_nothing(tmp_path):
    with pytest.raises(UsageError, match="not in a git repository"):
        vcs.show("HEAD", tmp_path / "spec.yaml")


def test_a_monitor_that_a_repository_names_is_not_started(repository, tmp_path):
    trace = tmp_path / "started"
    program = tmp_path / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {trace}\n")
    program.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(program))
    vcs.facts(repository / "spec.yaml")
    assert not trace.exists()
