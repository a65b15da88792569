from __future__ import annotations

from pathlib import Path

import pytest

from speedpix_pipe.errors import AbsentError, ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Entry, ListOf, Literal, MapOf, Mark
from speedpix_pipe.spec.expressions import MISSING, Scope, TaskView, evaluate, render
from speedpix_pipe.spec.templates import parse, parse_condition

HERE = Mark("p.yaml", 3, 7)


class Steps:
    """Tasks by step; a list stands for several."""

    def __init__(self, **tasks):
        self.tasks = tasks

    def one(self, step):
        return self.tasks[step]

    def many(self, step):
        return self.tasks[step]


def scope(**names) -> Scope:
    return Scope(Path("/spec"), **names)


def value(text: str, where: Scope | None = None, **names):
    return render(parse(text, lambda offset: Mark("p.yaml", 3, 7 + offset)), where or scope(**names))


def failure(text: str, where: Scope | None = None, **names) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(text, where, **names)
    return caught.value


def photo(name: str) -> FileValue:
    return FileValue.local(Path("/spec/in") / name, Path("/spec"), Path("/spec/in"))


# --- values and types ---


@pytest.mark.parametrize(
    "given", ["00123", 1, 1.0, 7.5, True, None, [], [1, "a"], {"a": None}, "yes", "${{ 1 }}", "", "2001-01-01", "[1]"]
)
def test_one_expression_keeps_its_value_and_type(given):
    found = value(" ${{ params.x }} ", params={"x": given})
    assert found == given
    assert type(found) is type(given)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("${{ index + 1 }}. ${{ item.name }} for ${{ item.price }}", "1. cup for 7.5"),
        ("a${{ 1.0 }}${{ true }}${{ false }}", "a1.0truefalse"),
        ("x ${{ 'é' }} ", "x é "),
        ("${{ params.file }}!", "in/a.jpg!"),
        ("${{ '${{' }} x }}", "${{ x }}"),
        ("${{ 12345678901234567890 }}-", "12345678901234567890-"),
        ("${{ 1e20 }}-", "1e+20-"),
    ],
)
def test_text_is_joined_with_numbers_and_booleans_as_in_json(text, made):
    assert value(text, item={"name": "cup", "price": 7.5}, index=0, params={"file": photo("a.jpg")}) == made


@pytest.mark.parametrize(
    ("inner", "hint"), [("[1]", "| join(', ')"), ("{'a': 1}", "| tojson"), ("null", "default"), ("range(2)", "| join")]
)
def test_null_lists_and_objects_are_no_text(inner, hint):
    for text in (f"a ${{{{ {inner} }}}}", f"${{{{ 'a' ~ {inner} }}}}", f"${{{{ [{inner}] | join(',') }}}}"):
        error = failure(text)
        assert error.code == "expression.text"
        assert hint in error.hint


def test_templates_of_lists_and_objects_are_rendered_throughout():
    item = parse("${{ item }}", lambda _: HERE)
    template = MapOf((Entry("a", ListOf((item, Literal(None, HERE)), HERE), HERE), Entry("b", item, HERE)), HERE)
    assert render(template, scope(item=3)) == {"a": [3, None], "b": 3}


def test_words_of_json_and_of_jinja():
    assert value("${{ [null, true, false, none, None, True, False] }}") == [None, True, False, None, None, True, False]


# --- what stands behind a dot ---


def test_a_dot_on_an_object_is_its_key_and_never_a_method():
    rows = {"items": 1, "keys": 2, "get": 3, "__class__": 4}
    assert [value("${{ item." + name + " }}", item=rows) for name in rows] == [1, 2, 3, 4]
    assert "has no `values`" in failure("${{ item.values }}", item=rows).message


def test_lists_are_indexed_and_sliced():
    names = {"params": {"x": [1, 2, 3], "t": "abc", "o": {"1": "one"}}}
    assert value(
        "${{ [params.x[0], params.x[-1], params.x.1, params.x[1:], params.x[::-1], params.t[1]] }}", **names
    ) == [1, 3, 2, [2, 3], [3, 2, 1], "b"]
    assert "none at 7" in failure("${{ params.x[7] }}", **names).message
    assert "has nothing at the number 1" in failure("${{ params.o[1] }}", **names).message
    assert "map(attribute=" in failure("${{ params.x.name }}", **names).hint


def test_a_file_has_its_names_and_no_others():
    file = photo("x/a.b.jpg")
    assert value("${{ [item.path, item.rel, item.stem, item['name'], item.url] }}", item=file) == [
        "in/x/a.b.jpg",
        "x/a.b.jpg",
        "a.b",
        "a.b.jpg",
        None,
    ]
    assert value("${{ item }}", item=file) is file
    assert failure("${{ item.stme }}", item=file).hint == 'did you mean "stem"?'
    assert "has no `absolute`" in failure("${{ item.absolute }}", item=file).message


def test_texts_have_a_few_harmless_methods():
    assert value("${{ item.split('-')[0].upper() }}", item="cup-1") == "CUP"
    assert (
        value(
            "${{ item.startswith('c') and not item.endswith(('x', 'y')) if false else item.removesuffix('-1') }}",
            item="cup-1",
        )
        == "cup"
    )
    assert "has no method `split`" in failure("${{ item.split() }}", item=[1]).message


# --- undefined ---

UNDEFINED = [
    "params.x",
    "params['x']",
    "item",
    "index",
    "matrix.look",
    "run.id",
    "git.commit",
    "env.HOME",
    "ext",
    "n",
    "[][0]",
    "[] | first",
    "steps.b.output.v",
]


@pytest.mark.parametrize("name", UNDEFINED)
def test_the_undefined_may_be_tested_and_replaced_also_through_further_names(name):
    where = scope(steps=Steps(b=TaskView("k", output={})))
    assert value(f"${{{{ ({name}) is defined }}}}", where) is False
    assert value(f"${{{{ ({name}) is undefined }}}}", where) is True
    assert value(f"${{{{ ({name}) | default(3) }}}}", where) == 3
    assert value(f"${{{{ ({name}).a.b[0] | d('x') }}}}", where) == "x"


@pytest.mark.parametrize("name", UNDEFINED)
@pytest.mark.parametrize(
    "use",
    ["{}", "a {}", "[{}]", "({},)", "{{'a': {}}}", "{} and 1", "1 or {} and {}", "not {}", "{} + 1", "{} == 1", "1 in {}", "{} | upper",
     "{} is none", "1 if {} else 2", "{}.a", "-{}", "'a' ~ {}", "range({})", "0 | default(2, {})"],
)  # fmt: skip
def test_the_undefined_is_an_error_anywhere_else(name, use):
    inner = use.format(f"({name})", *[f"({name})"])
    text = "a ${{ " + inner[2:] + " }}" if use.startswith("a ") else "${{ " + inner + " }}"
    where = scope(steps=Steps(b=TaskView("k", output={})))
    if use.startswith("1 or"):
        assert value(text, where) == 1
        return
    error = failure(text, where)
    assert not isinstance(error, AbsentError)
    assert error.code == "expression.undefined"


def test_what_is_not_reached_is_not_missed():
    assert value("${{ 1 if true else item }}") == 1
    assert value("${{ 1 | default(item) }}") == 1
    assert value("${{ false and item }}") is False


def test_an_if_without_else_has_no_value_when_false():
    assert "no `else`" in failure("${{ 1 if false }}").message
    assert value("${{ (1 if false) | default(2) }}") == 2


def test_default_replaces_what_is_empty_only_when_told_to():
    assert value("${{ params.x | default('a') }}", params={"x": ""}) == ""
    assert value("${{ params.x | default('a', true) }}", params={"x": ""}) == "a"
    assert value("${{ params.x | default(default_value=5, boolean=true) }}", params={"x": None}) == 5
    assert value("${{ params.x | default }}") == ""


def test_an_error_says_where_and_offers_the_nearest_name():
    error = failure("abc ${{ params.capton }}", params={"caption": 1, "looks": 2})
    assert error.where == "p.yaml:3:14"
    assert error.message == "p.yaml:3:14: params has no `capton`"
    assert error.hint == 'did you mean "caption"?'
    assert failure("${{ item.a.b }}", item={"a": {"c": 1}}).message.endswith("item.a has no `b`")


# --- other steps ---


def test_names_of_the_one_agreeing_task():
    file = photo("a.jpg")
    task = TaskView("cup", item="cup", index=4, matrix={"look": "sun"}, output={"v": 1}, files=(file,))
    where = scope(steps=Steps(white=task))
    assert value(
        "${{ [steps.white.output.v, steps.white.item, steps.white.index, steps.white.matrix.look, steps.white.key] }}",
        where,
    ) == [1, "cup", 4, "sun", "cup"]
    assert value("${{ steps.white.file }}", where) is file
    assert value("${{ steps.white.file.stem }}", where) == "a"


def test_names_of_all_agreeing_tasks():
    one, two = photo("a.jpg"), photo("b.jpg")
    tasks = [TaskView("a", item="a", index=0, output={"v": 1}, files=(one, two)), TaskView("b", output={"v": 2})]
    where = scope(steps=Steps(x=tasks))
    assert value("${{ steps.x.outputs | map(attribute='v') }}", where) == [1, 2]
    assert value("${{ steps.x.files }}", where) == [one, two]
    assert value("${{ steps.x.tasks }}", where) == [
        {"key": "a", "item": "a", "index": 0, "matrix": {}, "output": {"v": 1}, "files": [one, two]},
        {"key": "b", "item": None, "index": None, "matrix": {}, "output": {"v": 2}, "files": []},
    ]
    assert value(
        "${{ steps.x.tasks | map(attribute='files') | map('first') | map(attribute='stem') }}",
        scope(steps=Steps(x=tasks[:1])),
    ) == ["a"]


def test_the_output_of_a_task_without_one_is_absent():
    where = scope(steps=Steps(soft=TaskView("tin", item="tin", index=1)))
    for text in (
        "${{ steps.soft.output }}",
        "${{ steps.soft.output.v.w }}",
        "a ${{ steps.soft.file }}",
        "${{ [steps.soft.file.name] }}",
        "${{ steps.soft.output.v + 1 }}",
    ):
        with pytest.raises(AbsentError, match="soft@tin has no output") as caught:
            value(text, where)
        assert caught.value.where
    assert value("${{ steps.soft.output is not defined }}", where) is True
    assert value("${{ steps.soft.file.stem | default('none') }}", where) == "none"
    assert value("${{ [steps.soft.item, steps.soft.index, steps.soft.key, steps.soft.matrix] }}", where) == [
        "tin",
        1,
        "tin",
        {},
    ]


def test_where_both_lack_their_output_the_default_is_absent_too():
    where = scope(steps=Steps(soft=TaskView("a"), hard=TaskView("a", output={}), last=TaskView("a")))
    with pytest.raises(AbsentError, match="last@a"):
        value("${{ steps.soft.output.v | default(steps.last.output.v) }}", where)
    error = failure("${{ steps.soft.output.v | default(steps.hard.output.v) }}", where)
    assert not isinstance(error, AbsentError)


def test_a_field_or_file_that_an_output_lacks_is_a_mistake_and_not_a_skip():
    where = scope(steps=Steps(white=TaskView("a", output={"image": {}})))
    for text in ("${{ steps.white.output.images }}", "${{ steps.white.file }}"):
        assert not isinstance(failure(text, where), AbsentError)
    assert "did you mean" in failure("${{ steps.white.output.images }}", where).hint


def test_absent_tasks_are_left_out_of_gathers():
    where = scope(steps=Steps(x=[TaskView("a", output=1), TaskView("b"), TaskView("c", output=3)]))
    assert value("${{ steps.x.outputs }}", where) == [1, 3]


def test_what_is_not_known_before_the_run_says_so():
    for where in (scope(), scope(steps=Steps(x=None))):
        assert failure("${{ steps.x.output }}", where).code == "expression.not-yet"


def test_an_item_of_a_step_without_fan_out_is_undefined():
    where = scope(steps=Steps(x=TaskView("", output=1)))
    assert "no `for_each`" in failure("${{ steps.x.item }}", where).message


def test_item_may_be_null():
    assert value("${{ item }}", item=None) is None
    assert "no `item` here" in failure("${{ item }}", item=MISSING).message


def test_a_condition_is_evaluated_as_it_stands():
    condition = parse_condition("item != 'p2' and params.a | length > 1", lambda _: HERE)
    assert evaluate(condition, scope(item="p1", params={"a": [1, 2]})) is True


# --- operators ---


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3 - 4 / 2", 5.0), ("7 // 2", 3), ("7 % 3", 1), ("2 ** 10", 1024), ("-index", -2), ("+1", 1), ("2 ** -1", 0.5),
        ("'a' + 'b'", "ab"), ("'a' ~ 1 ~ true ~ 1.5", "a1true1.5"), ("[1] + [2]", [1, 2]), ("'ab' * 2", "abab"), ("[0] * 3", [0, 0, 0]),
        ("1 < 2 < 3", True), ("1 < 3 < 2", False), ("'a' <= 'b'", True), ("1 == 1.0", True), ("'1' == 1", False), ("[1, {'a': [2]}] == [1, {'a': [2]}]", True),
        ("[1] != [2]", True), ("{'a': 1} == {'a': 2}", False), ("2 in [1, 2]", True), ("'b' in 'abc'", True), ("'a' in {'a': 1}", True), ("3 not in range(3)", True),
        ("not []", True), ("1 and 'x'", "x"), ("'' or 'y'", "y"), ("'%03d-%s' % [7, 'a']", "007-a"), ("'%.1f' % 2.25", "2.2"), ("range(3) == [0, 1, 2]", True),
        ("(1, 2)", [1, 2]), ("{'a': range(2)}", {"a": [0, 1]}), ("[range(2)]", [[0, 1]]), ("range(5)[1:3]", [1, 2]), ("range(5) | last", 4),
        ("0 ** 0", 1), ("1 ** 10 ** 9", 1), ("(-1) ** 1000001", -1), ("[1, [2]][1][0]", 2), ("'a' in ['a'] if true else 1 / 0", True),
    ],
)  # fmt: skip
def test_operators(expression, result):
    found = value("${{ " + expression + " }}", index=2)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("'a' + 1", "cannot be worked out"), ("1 / 0", "division by zero"), ("1 % 0", "division by zero"), ("1 // 0", "division by zero"), ("0 ** -1", "division by zero"),
        ("'a' < 1", "cannot be compared"), ("null < 1", "cannot be compared"), ("[1] < [2]", "cannot be compared"), ("-'a'", "number is needed"), ("+[]", "number is needed"),
        ("1 in 5", "nothing is in"), ("1 in 'a'", "part of a text"), ("1e308 * 10", "too large"), ("(-8) ** 0.5", "no real number"), ("'%d' % 'a'", "cannot be filled in"),
        ("[1] - [1]", "cannot be worked out"), ("{1: 2}", "cannot be a name"), ("10.0 ** 400", "too large"), ("'a'['b']", "has no `b`"), ("[1][::0]", "no end"), ("[1]['a':]", "whole numbers"), ("1[0]", "nothing at"),
        ("{} * 2", "cannot be worked out"), ("'a' % [null]", "null inside a text"), ("1[1:]", "no part"),
    ],
)  # fmt: skip
def test_operations_without_meaning(expression, why):
    assert why in failure("${{ " + expression + " }}").message


def test_an_environment_variable_that_is_not_set_is_told_as_such():
    error = failure("${{ env.SHOP }}", env={})
    assert error.message.endswith("the environment variable SHOP is not set")
    assert ".env" in (error.hint or "")
    assert value("${{ env.SHOP | default('none') }}", env={}) == "none"
