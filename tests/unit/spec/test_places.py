"""Lines of a text, as YAML ends them: place and line of every character, however the file is made up."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedpix_pipe.spec.places import _BLOCK, Lines, Source
from tests.unit.spec.test_load import read

TEXTS = st.lists(st.sampled_from(["\r", "\n", "\r\n", "a", "阿", "x" * (_BLOCK - 1), "\n" * (_BLOCK - 1)]), max_size=12)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_every_character_has_its_line_and_column(parts: list[str]) -> None:
    text = "".join(parts)
    lines, line, column = Lines(text), 1, 1
    for offset, character in enumerate(text):
        if offset < 40 or offset % 97 == 0 or offset % _BLOCK in {0, 1, _BLOCK - 1}:
            assert lines.place(offset) == (line, column)
        column += 1
        if character == "\n" or (character == "\r" and text[offset + 1 : offset + 2] != "\n"):
            line, column = line + 1, 1
    assert lines.place(len(text)) == (line, column)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_every_line_is_given_without_its_end(parts: list[str]) -> None:
    text = "".join(parts)
    lines, written = Lines(text), re.split(r"\r\n|\r|\n", text)
    numbers = {*range(min(30, len(written))), len(written) - 1, len(written) // 2}
    assert all(lines.line(number + 1) == written[number] for number in numbers)
    assert lines.line(0) is None
    assert lines.line(len(written) + 1) is None


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_file_of_nothing_but_line_ends_costs_no_time(end: str) -> None:
    text = end * 3_500_000 + "a"
    began = time.process_time()
    assert Source("a.yaml", text).mark(len(text) - 1).line == 3_500_001
    assert time.process_time() - began < 0.5


def test_a_text_with_many_mistakes_is_laid_out_once() -> None:
    root = read("a: >\n" + "".join(f"  word {number} and more of it\n" for number in range(20_000)))
    node = root.members["a"]
    node.locator()(0)
    began = time.process_time()
    assert node.locator()(len(node.value) - 2).line == 20_001
    for offset in range(0, len(node.value), 1000):
        node.locator()(offset)
    assert time.process_time() - began < 0.2
