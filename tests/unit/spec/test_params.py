"""Values of params: the command line over the params file over the default, each in its own folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.errors import Problem
from speedpix_pipe.files import FileValue, find_files
from speedpix_pipe.model import Pipeline
from speedpix_pipe.spec.build import load_pipeline
from speedpix_pipe.spec.params import UNKNOWN, raw_params, resolve_params


class Disk:
    """The real folders, counting how often anybody looked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def glob(self, pattern: str, folder: Path) -> Sequence[FileValue]:
        self.asked.append(pattern)
        return find_files(pattern, folder, allow_empty=True)

    def file(self, path: Path, folder: Path) -> FileValue:
        self.asked.append(str(path))
        return FileValue.local(path, folder)


class Room:
    """A spec in one folder, a shell in another, a params file in a third."""

    def __init__(self, root: Path) -> None:
        self.spec, self.shell, self.other = root / "spec", root / "shell", root / "other"
        for folder in (self.spec, self.shell, self.other):
            (folder / "in").mkdir(parents=True)
            for name in ("b.jpg", "a.jpg", "c.png"):
                (folder / "in" / name).write_bytes(folder.name.encode())
        self.disk = Disk()

    def pipeline(self, params: str) -> Pipeline:
        path = self.spec / "spec.yaml"
        used = "${{ params | tojson }}"
        path.write_text(
            f"apiVersion: speedpix-pipe/v1\nname: x\nparams: {params}\nsteps: {{a: {{workflow: w, input: {{t: '{used}'}}}}}}\n"
        )
        pipeline, problems = load_pipeline(path, shown="spec.yaml")
        assert problems == []
        assert pipeline is not None
        return pipeline

    def resolve(
        self, params: str, *arguments: str, file: str | None = None, **more: Any
    ) -> tuple[dict[str, Any], list[Problem]]:
        path = None
        if file is not None:
            path = self.other / "params.yaml"
            path.write_text(file)
        return resolve_params(
            self.pipeline(params), raw_params(arguments), path, cwd=self.shell, files=self.disk, **more
        )

    def value(self, params: str, *arguments: str, **more: Any) -> Any:
        values, problems = self.resolve(params, *arguments, **more)
        assert problems == []
        return values["p"]

    def wrong(self, params: str, *arguments: str, **more: Any) -> list[str]:
        return [problem.message for problem in self.resolve(params, *arguments, **more)[1]]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.mark.parametrize(
    ("declared", "arguments", "value"),
    [
        ("{type: string}", ["p=00123"], "00123"),
        ("{type: string}", ["p=a=b,c"], "a=b,c"),
        ("{type: string}", ["p="], ""),
        ("{type: string}", ["p=true"], "true"),
        ("{type: integer}", ["p=12"], 12),
        ("{type: integer}", ["p=123456789012345678901234567890"], 123456789012345678901234567890),
        ("{type: number}", ["p=0.5"], 0.5),
        ("{type: number}", ["p=3"], 3),
        ("{type: boolean}", ["p=true"], True),
        ("{type: array}", ['p=["a", 1]'], ["a", 1]),
        ("{type: array}", ["p=a", "p=b,c", "p=1"], ["a", "b,c", 1]),
        ("{type: array, items: {type: string}}", ["p=1", "p=true", 'p="x"', "p=b"], ["1", "true", '"x"', "b"]),
        ("{type: array, items: {type: integer}}", ["p=1", "p=2"], [1, 2]),
        ("{type: object}", ['p={"a": [1]}'], {"a": [1]}),
        ("{type: string, default: x}", [], "x"),
        ("{type: string, default: null}", [], None),
        ("{type: files, default: null}", [], None),
        ("{type: string, default: 'inbox/*.{jpg,png}'}", [], "inbox/*.{jpg,png}"),
    ],
)
def test_values_of_the_command_line(room: Room, declared: str, arguments: list[str], value: Any) -> None:
    found = room.value(f"{{p: {declared}}}", *arguments)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("declared", "argument", "said"),
    [
        ("{type: integer}", "p=1.5", "param p must be a whole number, not the number 1.5"),
        ("{type: integer}", "p=ten", "param p must be a whole number as JSON, not `ten`"),
        ("{type: integer}", "p=NaN", "param p must be a whole number as JSON, not `NaN`"),
        ("{type: number}", "p=1e400", "param p must be a number as JSON, not `1e400`"),
        ("{type: boolean}", "p=yes", "param p must be true or false as JSON, not `yes`"),
        ("{type: boolean}", "p=1", "param p must be true or false, not the number 1"),
        ("{type: array}", "p=a", "param p must be a list as JSON, not `a`"),
        ("{type: string, maxLength: 2}", "p=long", "param p has 4 characters; at most 2 are allowed"),
        ("{type: string, enum: [sun, snow]}", "p=rain", 'param p must be one of sun, snow, not the text "rain"'),
        ("{type: string, pattern: '^a'}", "p=b", 'param p must match ^a, and the text "b" does not'),
        ("{type: array, items: {type: string}}", "p=[1]", "param p[0] must be a text, not the number 1"),
        ("{type: file}", "p=in", "param p: in is a folder, not a file"),
        ("{type: integer}", "p=null", "param p is null, and it has no default"),
    ],
)
def test_wrong_values_are_said_in_words(room: Room, declared: str, argument: str, said: str) -> None:
    assert room.wrong(f"{{p: {declared}}}", argument) == [said]


def test_a_relative_path_belongs_to_where_it_is_written(room: Room) -> None:
    declared = "{p: {type: files, default: 'in/*.jpg'}}"
    for found, folder in [
        (room.value(declared), room.spec),
        (room.value(declared, "p=in/*.jpg"), room.shell),
        (room.value(declared, file="p: in/*.jpg"), room.other),
    ]:
        assert [value.absolute for value in found] == [folder / "in" / "a.jpg", folder / "in" / "b.jpg"]


def test_what_a_params_file_names_lies_beside_it_wherever_the_spec_is(room: Room) -> None:
    """The file itself is named from the current folder, here without any folder at all."""
    (room.shell / "params.yaml").write_text("p: in/*.jpg\nq: in/c.png\n")
    declared = "{p: {type: files}, q: {type: file}}"
    values, problems = resolve_params(room.pipeline(declared), {}, Path("params.yaml"), cwd=room.shell, files=room.disk)
    assert problems == []
    assert {file.absolute.parent for file in [*values["p"], values["q"]]} == {room.shell / "in"}


def test_files_of_several_patterns_come_once_each_in_the_order_named(room: Room) -> None:
    found = room.value("{p: {type: files}}", "p=in/c.png", "p=in/*", "p=in/{a,b}.jpg")
    assert [value.name for value in found] == ["c.png", "a.jpg", "b.jpg"]


def test_one_file_is_a_file_and_no_list(room: Room) -> None:
    assert room.value("{p: {type: file}}", "p=in/a.jpg").absolute == room.shell / "in" / "a.jpg"
    assert room.value("{p: {type: file}}", file="p: ../spec/in/a.jpg").path == "in/a.jpg"


def test_a_name_with_brackets_may_be_a_plain_file(room: Room) -> None:
    (room.shell / "in" / "a[1].jpg").write_bytes(b"x")
    assert [value.name for value in room.value("{p: {type: files}}", "p=in/a[1].jpg")] == ["a[1].jpg"]


def test_a_pattern_without_matches_is_an_error_unless_allowed(room: Room) -> None:
    assert room.wrong("{p: {type: files}}", "p=in/*.gif") == [
        f"param p: the pattern in/*.gif matches no file in {room.shell}"
    ]
    assert room.value("{p: {type: files, allow_empty: true}}", "p=in/*.gif") == []


def test_a_missing_file_gets_the_nearest_name(room: Room) -> None:
    _, (problem,) = room.resolve("{p: {type: files}}", "p=in/aa.jpg")
    assert problem.code == "usage.param"
    assert problem.hint == 'did you mean "a.jpg"?'


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default(room: Room) -> None:
    declared = "{p: {type: string, default: spec}}"
    assert room.value(declared, "p=line", file="p: file") == "line"
    assert room.value(declared, file="p: file") == "file"
    assert room.value(declared, file="{}") == "spec"


def test_a_params_file_may_be_json_and_keeps_types(room: Room) -> None:
    assert room.value("{p: {type: object}}", file='{"p": {"a": [1, 2.5, "x", null]}}') == {"a": [1, 2.5, "x", None]}


def test_a_wrong_value_in_a_params_file_has_its_place(room: Room) -> None:
    _, problems = room.resolve("{p: {type: string}, q: {type: integer, default: 1}}", file="q: x\np: 5\nr: 1\n")
    assert [(p.line, p.column, p.message) for p in problems] == [
        (3, 1, 'no param "r" in spec.yaml'),
        (2, 4, "param p must be a text, not the number 5"),
        (1, 4, 'param q must be a whole number, not the text "x"'),
    ]
    assert all(problem.path.endswith("params.yaml") for problem in problems)


@pytest.mark.parametrize("content", ["[1]", "a: [", "text"])
def test_a_params_file_that_is_none_is_a_problem(room: Room, content: str) -> None:
    assert len(room.wrong("{p: {type: string, default: x}}", file=content)) == 1


def test_a_params_file_that_is_not_there_is_a_problem(room: Room) -> None:
    pipeline = room.pipeline("{p: {type: string, default: x}}")
    _, (problem,) = resolve_params(pipeline, {}, room.other / "none.yaml", cwd=room.shell, files=room.disk)
    assert problem.code == "usage.params-file"


def test_an_unknown_name_gets_the_nearest(room: Room) -> None:
    _, (problem,) = room.resolve("{photos: {type: files, allow_empty: true, default: 'no/*'}}", "fotos=x")
    assert (problem.message, problem.hint) == ('no param "fotos" in spec.yaml', 'did you mean "photos"?')


def test_a_name_without_value_is_said(room: Room) -> None:
    assert room.wrong("{p: {type: string, default: x}}", "p") == ["-p p has no value"]


def test_a_required_param_must_be_given_but_is_unknown_under_validate(room: Room) -> None:
    assert room.wrong("{p: {type: string}}") == ["param p must be given: a text"]
    values, problems = room.resolve("{p: {type: string}, q: {type: integer, default: 3}}", unknown_ok=True)
    assert (values, problems) == ({"p": UNKNOWN, "q": 3}, [])


def test_two_values_are_one_too_many_for_a_text(room: Room) -> None:
    assert room.wrong("{p: {type: string}}", "p=a", "p=b") == ["param p is given 2 times, and a string has one value"]
    assert room.wrong("{p: {type: object}}", "p={}", "p={}") == [
        "param p is given 2 times, and an object has one value"
    ]


def test_a_default_that_is_not_used_is_not_looked_at(room: Room) -> None:
    room.value("{p: {type: files, default: 'nowhere/*.jpg'}}", "p=in/a.jpg")
    assert room.disk.asked == [str(room.shell / "in" / "a.jpg")]


def test_files_of_a_watched_param_are_not_looked_for(room: Room) -> None:
    values, problems = room.resolve("{p: {type: files, default: 'nowhere/*.jpg'}}", skip={"p"})
    assert (values, problems, room.disk.asked) == ({"p": UNKNOWN}, [], [])


def test_a_default_that_matches_nothing_is_pointed_at(room: Room) -> None:
    _, (problem,) = room.resolve("{p: {type: files, default: 'nowhere/*.jpg'}}")
    assert (problem.path, problem.line, problem.column, problem.code) == ("spec.yaml", 3, 36, "spec.default")


def test_a_params_file_may_say_null_where_the_default_is_null(room: Room) -> None:
    assert room.value("{p: {type: string, default: null}}", file="p: null") is None
    assert room.wrong("{p: {type: string}}", file="p: null") == ["param p is null, and it has no default"]


def test_values_do_not_depend_on_the_pipeline_being_at_its_path(room: Room) -> None:
    pipeline = replace(room.pipeline("{p: {type: files, default: 'in/*.png'}}"), folder=room.other)
    values, problems = resolve_params(pipeline, {}, cwd=room.shell, files=room.disk)
    assert problems == []
    assert [value.absolute for value in values["p"]] == [room.other / "in" / "c.png"]
