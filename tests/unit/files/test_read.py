from __future__ import annotations

import pytest

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import READ_LIMIT, FolderFiles, read_file


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("a.csv", "name,price\ncup,12\n\nbowl\n", [{"name": "cup", "price": "12"}, {"name": "bowl", "price": ""}]),
        ("a.csv", '\ufeffname,text\r\ncup,"a, ""b""\nc"\r\n', [{"name": "cup", "text": 'a, "b"\nc'}]),
        ("a.csv", "name\n", []),
        ("a.TSV", "a\tb\n1\t2,3\n", [{"a": "1", "b": "2,3"}]),
        ("a.json", '{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("a.jsonl", '{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        (
            "a.yaml",
            "a: yes\nb: 2001-01-01\nc: 017\nd: [1.5, ~, true, '1', 0x10]\n",
            {"a": "yes", "b": "2001-01-01", "c": 17, "d": [1.5, None, True, "1", 16]},
        ),
        ("a.yml", "", None),
        ("a.txt", "\ufeffhello\n", "hello\n"),
        ("a", "x", "x"),
    ],
)
def test_a_file_is_read_by_the_end_of_its_name(tmp_path, name, text, value):
    (tmp_path / name).write_bytes(text.encode())
    assert read_file(tmp_path / name, name) == value


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.json", b"{", "a.json: "),
        ("a.json", b"[NaN]", "NaN is no number"),
        ("a.json", b"[1e999]", "too large"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.jsonl", b"1\n{\n", "line 2"),
        ("a.csv", b"", "names the columns"),
        ("a.csv", b"a,a\n1,2\n", "two columns"),
        ("a.csv", b"a,b\n1,2,3\n", "line 2: 3 cells under 2 columns"),
        ("a.csv", b"a\xff\n", "not UTF-8"),
        ("a.yaml", b"a: 1\na: 2\n", "stands twice"),
        ("a.yaml", b"a: !thing 1\n", "tag"),
        ("a.yaml", b"a: .nan\n", "no number"),
        ("a.yaml", b"a: [1\n", "a.yaml"),
        (
            "a.yaml",
            b"a: &a [1,1,1,1,1,1,1,1,1]\n"
            + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)),
            "too many values",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path, name, data, why):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ExpressionError, match=why):
        read_file(tmp_path / name, name)


def test_there_is_a_limit(tmp_path):
    with (tmp_path / "big.txt").open("wb") as file:
        file.truncate(READ_LIMIT + 1)
    with pytest.raises(ExpressionError, match="over 64 MB"):
        read_file(tmp_path / "big.txt", "big.txt")


def test_a_table_is_parsed_once_and_again_when_it_changed(tmp_path):
    files = FolderFiles(tmp_path)
    (tmp_path / "a.csv").write_text("n\n1\n")
    first = files.read("a.csv")
    assert files.read("a.csv") is first
    (tmp_path / "a.csv").write_text("n\n1\n2\n")
    assert files.read(files.file("a.csv")) == [{"n": "1"}, {"n": "2"}]


def test_a_missing_file_and_a_folder_are_no_files(tmp_path):
    files = FolderFiles(tmp_path)
    (tmp_path / "d").mkdir()
    with pytest.raises(ExpressionError, match="does not exist"):
        files.file("x.jpg")
    with pytest.raises(ExpressionError, match="is a folder"):
        files.file("d")
    with pytest.raises(ExpressionError, match="is a folder"):
        files.read("d")
    with pytest.raises(FileNotFoundError):
        files.read("x.csv")
