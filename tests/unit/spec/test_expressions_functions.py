from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Mark
from speedpix_pipe.spec.expressions import Scope, render
from speedpix_pipe.spec.templates import parse


def value(expression: str, folder: Path = Path("/nowhere"), **names):
    return render(parse("${{ " + expression + " }}", lambda _: Mark("p.yaml", 1, 1)), Scope(folder, **names))


def failure(expression: str, folder: Path = Path("/nowhere"), **names) -> str:
    with pytest.raises(ExpressionError) as caught:
        value(expression, folder, **names)
    return caught.value.message


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("range(3)", [0, 1, 2]),
        ("range(5, 1, -2)", [5, 3]),
        ("range(0)", []),
        ("zip([1, 2], ['a', 'b'])", [[1, "a"], [2, "b"]]),
        ("zip(range(2), range(2), range(2))", [[0, 0, 0], [1, 1, 1]]),
        ("zip()", []),
        ("dict(a=1, b=[2])", {"a": 1, "b": [2]}),
        ("dict({'a': 1}, a=2)", {"a": 2}),
    ],
)
def test_functions(expression, result):
    assert value(expression) == result


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("zip([1], [1, 2])", "equal length, not of 1 and 2"),
        ("zip('ab', [1, 2])", "needs lists"),
        ("range('3')", "whole numbers"),
        ("range(1, 2, 0)", "no end"),
        ("range()", "range()"),
        ("dict(1)", "one object"),
        ("glob(1)", "needs a pattern"),
        ("file(1)", "needs a path"),
        ("read(1)", "needs a file"),
        ("read('x', defualt=1)", "read()"),
    ],
)
def test_what_functions_refuse(expression, why):
    assert why in failure(expression)


def test_a_stable_seed_depends_on_its_arguments_alone(tmp_path):
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("one")
    (tmp_path / "c").write_text("two")
    seeds = [value(f"stable_seed(file('{name}'), 1)", tmp_path) for name in "abc"]
    assert seeds[0] == seeds[1] != seeds[2]
    assert value("stable_seed('cup', 1)") == value("stable_seed('cup', 1.0)") == 1974322160
    assert value("stable_seed({'a': 1, 'b': 2})") == value("stable_seed({'b': 2, 'a': 1})")
    assert len({value(f"stable_seed({n})") for n in range(1000)}) > 990
    assert all(0 <= value(f"stable_seed({n})") < 2**31 for n in range(100))


def test_files_are_looked_for_in_the_folder_of_the_spec(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (3, 2)).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.txt").write_text("hello")
    assert value("glob('in/*') | map(attribute='name')", tmp_path) == ["a.png", "b.txt"]
    assert value("file('in/a.png').width", tmp_path) == 3
    assert value("file(file('in/a.png')).stem", tmp_path) == "a"
    assert value("read('in/b.txt')", tmp_path) == "hello"
    assert value("glob('no/*', allow_empty=true)", tmp_path) == []
    assert value("file('in/b.txt').width is defined", tmp_path) is False
    assert "matches no file" in failure("glob('no/*')", tmp_path)
    assert "does not exist" in failure("file('no')", tmp_path)
    assert "is no picture" in failure("file('in/b.txt').height", tmp_path)


def test_a_table_in_a_file(tmp_path):
    (tmp_path / "prices.csv").write_text("name,price\ncup,12\n")
    assert value("read('prices.csv')[0].price | int", tmp_path) == 12
    assert value("read(file('prices.csv')) | map(attribute='name')", tmp_path) == ["cup"]


def test_a_file_that_may_be_missing(tmp_path):
    assert value("read('no.json', default={'a': 1}).a", tmp_path) == 1
    assert value("read('no/where.json', default=null)", tmp_path) is None
    assert "does not exist" in failure("read('no.json')", tmp_path)


def test_a_file_that_vanished_is_an_error_and_no_crash():
    file = FileValue.local(Path("/nowhere/a.jpg"), Path("/nowhere"))
    assert "No such file" in failure("item.size", item=file)


class Counting:
    """Files that are only counted."""

    def __init__(self):
        self.asked = []

    def glob(self, pattern, *, allow_empty=False):
        self.asked.append((pattern, allow_empty))
        return []

    def file(self, path):
        self.asked.append(path)
        return FileValue.local(Path("/x") / path, Path("/x"))

    def read(self, file):
        self.asked.append(str(file))
        raise FileNotFoundError


def test_who_evaluates_may_stand_in_for_the_disk():
    files = Counting()
    assert value("[glob('*.jpg'), file('a').path, read(file('b'), default=1)]", files=files) == [[], "a", 1]
    assert files.asked == [("*.jpg", False), "a", "b", "b"]
