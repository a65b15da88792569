from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speedpix_pipe.model import Expression, Literal, Mark, Text
from speedpix_pipe.spec.analysis import split, tree_of
from speedpix_pipe.spec.expressions import evaluate
from speedpix_pipe.spec.scope import Scope
from speedpix_pipe.spec.syntax import lex, lex_all, normal, parse_tokens
from speedpix_pipe.spec.templates import TemplateError, has_expression, parse, parse_condition, plain_names, plain_range


def locate(offset: int) -> Mark:
    return Mark("p.yaml", 1, offset + 1)


def pieces(template):
    """The text again, from its parts."""
    if isinstance(template, Literal):
        return template.value
    if isinstance(template, Expression):
        return "${{" + template.source + "}}"
    return "".join(part if isinstance(part, str) else "${{" + part.source + "}}" for part in template.parts)


def failure(text: str, read=parse) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        read(text, locate)
    return caught.value


# --- splitting ---


def test_a_text_without_delimiter_is_literal():
    for text in ("plain", "", "{{ x }}", "{% x %}", "{# x #}", "$ {{x}}", "}} ${"):
        assert parse(text, locate) == Literal(text, Mark("p.yaml", 1, 1))
        assert not has_expression(text)


def test_one_expression_alone_whatever_blanks_surround_it():
    for text in ("${{ item }}", '" ${{ item }}\n"'.strip('"'), "\n\t${{item}} "):
        template = parse(text, locate)
        assert isinstance(template, Expression)
        assert template.normal == "item"
    assert parse("  ${{ item }}", locate).mark == Mark("p.yaml", 1, 6)


def test_two_expressions_are_two():
    template = parse("${{ item }}${{ index }}", locate)
    assert isinstance(template, Text)
    assert [part.normal for part in template.parts] == ["item", "index"]
    assert [part.mark.column for part in template.parts] == [4, 15]


@pytest.mark.parametrize(
    "text",
    [
        "${{ '}}' }}",
        "${{ '${{' }}",
        "${{ \"a }} b\" ~ '}}' }}",
        "${{ {'a': {'b': {}}} }}",
        "${{ {'a': {'b': 1}}.a.b }}",
        "${{-1}}",
        "${{ [1, 2][0] }}",
        "${{\n  item\n}}",
        "${{ 'a\\'}}' }}",
    ],
)
def test_braces_and_quotes_inside_an_expression_do_not_end_it(text):
    assert isinstance(parse(text, locate), Expression)
    mixed = parse("a" + text + "b", locate)
    assert isinstance(mixed, Text)
    assert len(mixed.parts) == 3


expressions = st.sampled_from(["${{ item }}", "${{ '}}' }}", "${{item.stem}}", "${{ {'a': {}} }}", "${{ '${{' ~ 1 }}"])
texts = st.text().filter(lambda text: "${{" not in text)


@given(st.lists(texts | expressions, max_size=6))
@example(["\r\n", "${{ item }}", "\r"])
def test_any_text_comes_back_from_its_pieces(parts):
    text = "".join(parts)
    if text.count("${{") > sum(part.count("${{") for part in parts):
        return  # two texts that make a delimiter together
    template = parse(text, locate)
    assert pieces(template) == (text.strip() if isinstance(template, Expression) else text)


@given(st.text(st.sampled_from("${}}' \"ab.|()[]-\\\n\r\x0b")))
@settings(max_examples=400)
def test_no_text_ends_in_anything_but_a_template_or_an_error_with_a_place(text):
    try:
        template = parse("${{" + text, locate)
    except TemplateError as error:
        for one in (error, *error.also):
            assert 0 <= one.offset <= len(text) + 3
            assert one.width >= 1
        return
    assert pieces(template).strip() == ("${{" + text).strip()


names = st.from_regex(r"[a-zé_][a-z0-9_]{0,5}", fullmatch=True)
plain = st.tuples(
    st.sampled_from(["params", "item", "matrix", "env", "steps", "run", "ext"]), st.lists(names, max_size=4)
)


@given(plain, st.sampled_from(["", " ", "\n "]))
def test_the_quick_way_through_plain_names_is_the_parsers(path, blank):
    source = blank + ".".join([path[0], *path[1]]) + blank
    quick = plain_names(source)
    if quick is None:
        return
    tokens, end = lex("${{" + source + "}}", 3)
    assert end == len(source) + 3
    assert [token.text for token in tokens if token.text != "."] == quick
    parsed = parse("${{" + source + "}}", locate)
    assert parsed.normal == normal(tokens)
    assert parsed.names == {path[0]}
    assert tree_of(source) == parse_tokens(tokens, len(source))
    uses = []
    parse("${{" + source + "}}", locate, uses)
    _, slowly = split("${{" + source + "}}", 3)
    assert [(use.names, use.width) for use in uses] == [(use.names, use.width) for use in slowly.uses]
    assert [(use.step, use.name) for use in parsed.references] == [(use.step, use.name) for use in slowly.steps]


@pytest.mark.parametrize("source", ["range(4)", " range(4) ", "range(1000000)", "range(04)", "range(0)", "range(-1)"])
def test_the_quick_way_through_range_is_the_parsers(source):
    try:
        end, slowly = split("${{" + source + "}}", 3)
    except TemplateError:
        assert plain_range(source) is None
        return
    assert end == len(source) + 3
    if plain_range(source) is not None:
        parsed = parse("${{" + source + "}}", locate)
        assert (parsed.normal, parsed.names, parsed.references) == (slowly.normal, slowly.names, slowly.steps)


def test_a_range_is_counted_as_ever(tmp_path):
    assert evaluate(parse("${{ range(3) }}", locate), Scope(tmp_path)) == [0, 1, 2]


# --- what counts as the same text ---


def test_normal_leaves_out_free_blanks_only():
    def of(source):
        return parse("${{" + source + "}}", locate).normal

    assert of(" params . photos ") == of("params.photos") == "params.photos"
    assert of("item  if  index==0 else\nnull") == of("item if index == 0 else null") == "item if index==0 else null"
    assert of("'a  b'") != of("'a b'")
    assert of('"a"') != of("'a'")
    assert of("params.a") != of("params['a']")
    assert of("index is odd") == "index is odd"
    assert of("'a' 'b'") == "'a' 'b'"


# --- when ---


@pytest.mark.parametrize(
    "text", ["item.size > 10", "${{ item.size > 10 }}", "  ${{ item.size>10 }}\n", "\nitem.size > 10\n"]
)
def test_a_condition_is_one_expression_with_or_without_delimiters(text):
    condition = parse_condition(text, locate)
    assert condition.normal == "item.size>10"
    assert condition.names == {"item"}


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("${{ a }} and ${{ b }}", None, "no such name"),
        ("${{ item }} and ${{ index }}", 11, "one expression"),
        ("item and ${{ index }}", 9, "inside a condition"),
        ("${{ item }} == 'p2'", 11, "one expression"),
        ("item }}", 5, "unexpected"),
        ("", 0, "empty"),
        ("item ==", 5, "too early"),
    ],
)
def test_a_condition_with_text_around_is_refused(text, offset, message):
    error = failure(text, parse_condition)
    assert message in error.message
    if offset is not None:
        assert error.offset == offset


def test_a_text_in_a_condition_may_hold_the_delimiter():
    assert parse_condition("item == '${{ x }}'", locate).names == {"item"}


# --- what is wrong ---


@pytest.mark.parametrize(
    ("text", "at", "width", "code", "message", "hint"),
    [
        ("ab ${{ item", 3, 3, "unclosed", "without `}}`", "write `${{ '${{' }}`"),
        ("${{ }}", 3, 1, "syntax", "empty", "write something"),
        ("${{ item. }}", 8, 1, "syntax", "missing after `.`", None),
        ("${{ item | }}", 9, 1, "syntax", "too early", None),
        ("${{ item item }}", 9, 4, "syntax", "unexpected `item`", None),
        ("${{ 'a }} b", 4, 1, "syntax", "no closing '", None),
        ("${{ a && b }}", 6, 1, "syntax", "unexpected `&`", "write `and`"),
        ("${{ item ? 1 : 2 }}", 9, 1, "syntax", "unexpected `?`", "if condition else"),
        ("${{ index = 1 }}", 10, 1, "syntax", "unexpected `=`", "write `==`"),
        ("${{ item || 1 }}", 10, 1, "syntax", "unexpected `|`", "write `or`"),
        ("${{ item -}}", 9, 1, "syntax", "unexpected `-`", "means nothing here"),
        ("${{ “item” }}", 4, 1, "syntax", "unexpected `“`", "straight quotes"),
        ("${{ (item }}", 10, 1, "syntax", "unexpected `}`", "still open"),
        ("${{ item) }}", 8, 1, "syntax", "no bracket is open that this `)` closes", None),
        ("${{ [item) }}", 9, 1, "syntax", "unexpected `)`, expected `]`", None),
        ("${{ item }", 9, 1, "syntax", "an expression ends with `}}`", None),
        ("${{ '\\x' }}", 4, 4, "syntax", "backslash", None),
        ("${{ " + "9" * 5000 + " }}", 4, 5000, "syntax", "too long", None),
        ("${{ 1e999 }}", 4, 5, "syntax", "too large", None),
        ("${{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", 4, 1, "too-long", "too deeply", None),
        ("${{ 'a" + "b" * 200_000 + "' }}", 0, 3, "too-long", "more than 20,000", None),
        ("${{ parms.x }}", 4, 5, "name", "no such name `parms`", 'did you mean "params"?'),
        ("${{ cup }}", 4, 3, "name", "no such name `cup`", "needs quotes: `'cup'`"),
        ("${{ range }}", 4, 5, "name", "is a function", "call it"),
        ("${{ item | uper }}", 11, 4, "filter", "no filter `uper`", 'did you mean "upper"?'),
        ("${{ item | random }}", 11, 6, "filter", "no filter", "stable_seed"),
        ("${{ item is devined }}", 12, 7, "test", "no test `devined`", 'did you mean "defined"?'),
        ("${{ item is not devined }}", 16, 7, "test", "no test `devined`", 'did you mean "defined"?'),
        ("${{ rnge(3) }}", 4, 4, "function", "no function `rnge`", 'did you mean "range"?'),
        ("${{ lipsum() }}", 4, 6, "function", "no function", None),
        ("${{ item() }}", 4, 4, "function", "is no function", None),
        ("${{ item.items() }}", 9, 5, "function", "no method `items`", "`| items`"),
        ("${{ '{0.x}'.format(item) }}", 12, 6, "function", "no method `format`", "format(...)"),
        ("${{ [1][0]() }}", 10, 1, "function", "only functions", None),
        ("${{ range(*item) }}", 11, 1, "function", "means nothing", None),
        ("${{ steps[item] }}", 4, 11, "steps", "cannot be computed", "steps.X.output"),
        ("${{ steps['white'].output }}", 4, 14, "steps", "cannot be computed", "write `steps.white`"),
        ("${{ steps }}", 4, 5, "steps", "cannot be passed on", "steps.X.output"),
        ("${{ steps | length }}", 4, 5, "steps", "cannot be passed on", None),
        ("${{ steps.white | length }}", 4, 11, "steps", "alone", "steps.white.outputs"),
        ("${{ [steps.white] }}", 5, 11, "steps", "alone", None),
        ("${{ (steps.white) }}", 5, 11, "steps", "alone", None),
        ("${{ steps.white['output'] }}", 4, 11, "steps", "alone", None),
        ("a ${{ steps.white }}", 6, 11, "steps", "inside a text", "steps.white.output"),
        ("${{ steps.white.outptu.url }}", 16, 6, "steps", "has no `outptu`", 'did you mean "output"?'),
        ("${{ steps.white.images }}", 16, 6, "steps", "has no `images`", "steps.white.output.images"),
        ("${{ steps . white . oops }}", 20, 4, "steps", "has no `oops`", None),
    ],
)
def test_a_mistake_has_its_place_and_advice(text, at, width, code, message, hint):
    error = failure(text)
    assert (error.offset, error.width, error.code) == (at, width, f"expression.{code}")
    assert message in error.message
    assert hint is None or hint in (error.hint or "")


def test_all_mistakes_of_a_text_are_told_at_once():
    error = failure("${{ parms.x | uper }} and ${{ itm }} and ${{ 'a")
    assert [(one.offset, one.code) for one in (error, *error.also)] == [
        (4, "expression.name"),
        (14, "expression.filter"),
        (30, "expression.name"),
        (45, "expression.syntax"),
    ]


def test_the_place_of_a_mistake_is_the_same_when_the_expression_stands_elsewhere():
    assert failure("${{ item | uper }}").offset == 11
    assert failure("xx ${{ item | uper }}").offset == 14


def test_long_texts_with_many_expressions_are_split_in_good_time():
    text = "${{ item ~ 'x' }} and " * 5000
    began = time.perf_counter()
    assert len(parse(text, locate).parts) == 10_000
    assert time.perf_counter() - began < 20
    assert "over 10,000 expressions" in failure("${{ item }}" * 10_001).message


def test_lexing_a_source_without_delimiters():
    assert [token.text for token in lex_all("{'a': {}}")] == ["{", "'a'", ":", "{", "}", "}"]
