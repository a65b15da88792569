"""The catalogue is complete, and both languages leave the same gaps to fill."""

from __future__ import annotations

import string
from importlib import import_module

import pytest

from speedpix_pipe.words import LANGUAGES, ROOMS, words_for


def gaps(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("room", ROOMS)
def test_every_word_is_there_in_every_language_with_the_same_gaps(room):
    for name, words in import_module(f"speedpix_pipe.words.{room}").WORDS.items():
        assert len(words) == len(LANGUAGES), name
        assert len({bool(word) for word in words}) == 1, name
        assert len({tuple(gaps(word)) for word in words}) == 1, name


@pytest.mark.parametrize("room", ROOMS)
def test_chinese_is_chinese(room):
    own = words_for(room, "zh")
    foreign = [name for name, word in own.items() if any(sign.isalpha() for sign in word) and word.isascii()]
    assert [name for name in foreign if own[name].lower() != words_for(room, "en")[name].lower()] == []


def test_a_language_that_we_do_not_speak_is_english():
    assert words_for("gallery", "xx") == words_for("gallery", "en")
