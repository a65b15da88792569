"""Credentials, `.env` and folders, from an environment that each test makes up."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from speedpix_pipe.errors import AccessError, UsageError
from speedpix_pipe.settings import DEFAULT_ENDPOINT, Secret, Settings, load_settings, parse_dotenv

WORD = "hush-hush"


@pytest.mark.parametrize(
    "show", [str, repr, "{}".format, "{!r}".format, "{:s}".format, "{:>3}".format, lambda s: f"{[s]}", Secret.to_json]
)
def test_a_secret_prints_as_stars(show):
    assert "***" in show(Secret(WORD))
    assert WORD not in show(Secret(WORD))


def test_a_secret_is_neither_pickled_nor_written_as_json():
    with pytest.raises(TypeError, match="does not leave"):
        pickle.dumps(Secret(WORD))
    with pytest.raises(TypeError):
        json.dumps({"secret": Secret(WORD)})
    assert json.dumps(Secret(WORD), default=Secret.to_json) == '"***"'


def test_a_secret_reveals_and_compares():
    assert Secret(WORD).reveal() == WORD
    assert Secret(WORD) == Secret(WORD)
    assert Secret(WORD) != WORD
    assert not Secret("")


def test_the_environment_never_shows_in_a_repr(tmp_path):
    assert WORD not in repr(load_settings(tmp_path, {"SPEEDPIX_APP_SECRET": WORD}))


def test_credentials_come_from_a_dotenv_file_beside_the_spec(tmp_path):
    (tmp_path / ".env").write_text("SPEEDPIX_APP_KEY=k\nexport SPEEDPIX_APP_SECRET='s'\n", encoding="utf-8")
    found = load_settings(tmp_path, {})
    assert found.credentials().app_key.reveal() == "k"
    assert found.credentials().app_secret.reveal() == "s"
    assert found.credentials().endpoint == DEFAULT_ENDPOINT
    assert found.dotenv_names == {"SPEEDPIX_APP_KEY", "SPEEDPIX_APP_SECRET"}


def test_the_environment_wins_unless_it_is_blank(tmp_path):
    (tmp_path / ".env").write_text("SPEEDPIX_APP_KEY=file\nSPEEDPIX_APP_SECRET=file\n", encoding="utf-8")
    found = load_settings(tmp_path, {"SPEEDPIX_APP_KEY": "shell", "SPEEDPIX_APP_SECRET": ""})
    assert found.credentials().app_key.reveal() == "shell"
    assert found.credentials().app_secret.reveal() == "file"


def test_missing_credentials_are_named():
    with pytest.raises(AccessError, match="SPEEDPIX_APP_SECRET not set") as caught:
        Settings({"SPEEDPIX_APP_KEY": "k", "SPEEDPIX_APP_SECRET": "  "}).credentials()
    assert ".env" in caught.value.hint
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "endpoint",
    [
        f"http://someone:{WORD}@127.0.0.1:8000",
        f"https://a:{WORD}@b",
        f"https://host/?key={WORD}",
        f"https://host/#{WORD}",
        f"http://[{WORD}",
        f"https://host:{WORD}",
        "ftp://host",
        "https://",
        "https:/service.example",
        "http://service.example",
    ],
)
def test_an_endpoint_that_no_client_can_use_is_refused_and_never_shown(endpoint):
    with pytest.raises(AccessError, match="SPEEDPIX_ENDPOINT") as caught:
        Settings({"SPEEDPIX_ENDPOINT": endpoint}).credentials()
    assert WORD not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.code == "access.endpoint"


@pytest.mark.parametrize(
    "endpoint", ["service.example", "https://service.example:8443/prefix/", "http://127.0.0.1:9", "http://[::1]:9"]
)
def test_an_endpoint_that_clients_can_use_stays_as_it_is(endpoint):
    known = Settings({"SPEEDPIX_ENDPOINT": endpoint, "SPEEDPIX_APP_KEY": "k", "SPEEDPIX_APP_SECRET": "s"})
    assert known.credentials().endpoint == endpoint


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1", "1"),
        ("A = 1  ", "1"),
        ("export A=1", "1"),
        ("A=", ""),
        ("A=#none", ""),
        ("A=a b # note", "a b"),
        ("A=a#b", "a#b"),
        ("A='a # b'", "a # b"),
        (r"A='a\nb'", r"a\nb"),
        (r'A="a\nb \"c\" \\ \$d"', 'a\nb "c" \\ $d'),
        ('A="two\nlines" # note', "two\nlines"),
        ("A=$HOME", "$HOME"),
        ("A=x=y", "x=y"),
        ("# A=0\n\nA=1\r\n", "1"),
        ("A=1\nA=2", "2"),
        ("A=阿里云", "阿里云"),
    ],
)
def test_dotenv_lines(text, value):
    assert parse_dotenv(text) == {"A": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nhush-hush", ".env:2: a line is NAME=value"),
        ("1A=hush-hush", ".env:1: a line is NAME=value"),
        ("A='hush-hush", ".env:1: the quote is never closed"),
        ("A='hush' hush-hush", ".env:1: text after the closing quote"),
    ],
)
def test_a_bad_line_is_named_but_never_shown(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_dotenv(text)
    assert WORD not in caught.value.message


def test_a_dotenv_that_is_no_text_is_refused(tmp_path):
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_settings(tmp_path, {})


def test_a_spec_sees_only_the_variables_it_lists(tmp_path):
    (tmp_path / ".env").write_text("SHOP=file\n", encoding="utf-8")
    found = load_settings(tmp_path, {"HOME": "/h", "OTHER": "x"})
    assert found.spec_environment(["SHOP", "NOT_SET", "OTHER"]) == {"SHOP": "file", "OTHER": "x"}


@pytest.mark.parametrize("name", ["SPEEDPIX_APP_KEY", "SPEEDPIX_APP_SECRET"])
def test_a_spec_never_sees_a_credential(name):
    with pytest.raises(UsageError, match="credential"):
        Settings({name: WORD}).spec_environment([name])


def test_the_state_lives_beside_the_spec_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings({}).state_folder(Path("/specs")) == Path("/specs/.speedpix")
    assert Settings({"SPEEDPIX_STATE_DIR": "/state"}).state_folder(Path("/specs")) == Path("/state")
    assert Settings({"SPEEDPIX_STATE_DIR": "state"}).state_folder(Path("/specs")) == tmp_path / "state"


def test_the_nearest_state_folder_is_at_or_above(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / ".speedpix").mkdir()
    assert Settings({}).nearest_state_folder(deep) == tmp_path / ".speedpix"
    (deep / ".speedpix").mkdir()
    assert Settings({}).nearest_state_folder(deep) == deep / ".speedpix"
    assert Settings({"SPEEDPIX_STATE_DIR": "/state"}).nearest_state_folder(deep) == Path("/state")


def test_no_state_folder_is_none(tmp_path):
    assert not any((folder / ".speedpix").exists() for folder in tmp_path.parents)
    assert Settings({}).nearest_state_folder(tmp_path) is None


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"SPEEDPIX_LANG": "zh", "LC_ALL": "C"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_language(environment, language):
    assert Settings(environment).language == language


def test_colour_and_columns():
    assert Settings({"NO_COLOR": "1"}).no_color
    assert Settings({"TERM": "dumb"}).no_color
    assert not Settings({"NO_COLOR": ""}).no_color
    assert Settings({"COLUMNS": "132"}).columns == 132
    assert Settings({"COLUMNS": "wide"}).columns is None
