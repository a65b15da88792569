"""No expression runs for ever, fills memory, or reaches what is Python's."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.model import Mark
from speedpix_pipe.spec import budget
from speedpix_pipe.spec.expressions import Scope, render
from speedpix_pipe.spec.templates import TemplateError, parse

BIG = 10**6


def value(expression: str):
    template = parse("${{ " + expression + " }}", lambda _: Mark("p.yaml", 1, 1))
    return render(template, Scope(Path("/nowhere"), params={"big": list(range(BIG)), "text": "x" * BIG}, item="a"))


def test_what_is_within_the_limits_works():
    assert value("range(10000000) | length") == 10_000_000
    assert value("range(10000000) | sum") == 49_999_995_000_000
    assert value("range(10000000) | reverse | first") == 9_999_999
    assert value("range(10000000) | list | last") == 9_999_999
    assert value("9999999 in range(10000000)") is True
    assert len(value("'x' * 1048576")) == 1_048_576
    assert value("([0] * 900000) | length") == 900_000
    assert value("2 ** 3000") == 2**3000


FOR_EVER = [
    "range(10**12)", "range(10000001)", "range(0 - 10**12, 10**12)", "range(10**30)", "'x' * 10**10", "10**10 * 'x'", "'x' * 1048577", "[0] * 10**9", "[[0] * 1000] * 1000 * 2", "10 ** (10 ** 10)",
    "2 ** 1000 * 2 ** 3000", "'%1000000000d' % 1", "'%.999999999f' % 1", "'%*d' % [999999999, 1]", "('%9999d' * 9999) % ([1] * 9999)", "'a' | center(10**10)", "'a'.ljust(10**10)", "'1'.zfill(10**10)", "('a\\n' * 1000) | indent('y' * 100000)",
    "params.text | replace('x', 'xxxx')", "params.text.replace('', 'aaaa')", "params.text.join(['a'] * 3)", "params.text ~ params.text", "params.text + params.text", "[params.text] | map('replace', 'x', params.text)", "(['a'] * 100) | join(params.text)",
    "[1] | batch(10**10, 0)", "[1] | slice(10**10)", "('a b ' * 100) | wordwrap(1, wrapstring=params.text)", "params.text | striptags", "params.text | urlize", "params.text | wordwrap(2)", "params.text | title",
    "range(10000000) | map('string') | list", "range(10000000) | select('even') | list | length", "range(10000000) | sort", "range(10000000) | map('default', params.big) | list", "range(10000000) | batch(2)", "zip(range(10000000), range(10000000))",
    "range(10000000) | map('string') | map('replace', '1', params.text) | list", "params.big | map('default', params.big, true) | list == params.big | map('default', params.big[1:] + [1], true) | list",
    "([0] * 1000000) | map('default', params.big, true) | list == ([0] * 1000000) | map('default', range(1000000) | list, true) | list", "range(10000000) | groupby('a')", "[params.big] * 1000", "[params.big, params.big, params.big] | tojson",
    "range(10000000) | join", "range(10000000) | unique", "[range(10000000), range(10000000)]", "{'a': range(10000000)} | tojson", "params.big | map('tojson') | map('replace', '', params.text) | list",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("expression", FOR_EVER, ids=lambda text: text[:40])
def test_what_would_run_for_ever_or_fill_memory_ends_soon(expression, monkeypatch):
    monkeypatch.setattr(budget, "_SECONDS", 0.2)
    began = time.perf_counter()
    with pytest.raises(ExpressionError) as caught:
        value(expression)
    assert time.perf_counter() - began < 20
    assert caught.value.where == "p.yaml:1:1"


@pytest.mark.slow
def test_memory_stays_below_what_a_spec_may_cost():
    tracemalloc.start()
    try:
        with pytest.raises(ExpressionError):
            value("range(10000000) | sort")
        with pytest.raises(ExpressionError):
            value("range(10000) | map('string') | map('replace', '1', 'x' * 1000000) | list")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 280 * 1024 * 1024


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__", "''['__class__']", "'' | attr('__class__')", "[].__class__.__mro__", "item.__class__.__init__.__globals__", "{}.__class__", "range.__class__", "(1).real", "'{0.__class__}'.format(1)", "'{0.__class__}' | format(1) | attr('mro')",
        "'%(a.__class__)s' % {'a': 1}", "''.format_map({})", "''.encode()", "''.translate({})", "''.__add__('a')", "item.__len__()", "dict.__class__", "dict().__class__", "cycler", "namespace()", "self", "lipsum.__globals__", "joiner()", "caller()", "loop",
        "params.__class__", "params['__class__']", "env.__dict__", "run.__init__", "[1] | map(attribute='__class__')", "[1] | map('attr', '__class__')", "['a'] | groupby('__class__')", "[1] | sum('__class__')", "[1] | sort(attribute='__class__')", "(range(3)).start", "range(3).__iter__", "[1].append(2)", "{}.update({})",
        "params.big.pop()", "[1] | selectattr('__class__')", "glob.__globals__", "file('a').__class__", "x.y.z", "__import__('os')", "().__class__", "true.__class__", "null.__class__", "1.0.__class__", "item.upper.__self__", "[1].__getitem__(0)",
    ],
)  # fmt: skip
def test_nothing_of_pythons_can_be_reached(expression):
    with pytest.raises((ExpressionError, TemplateError)):
        value(expression)


def test_format_strings_show_no_attributes():
    assert value("'{0.__class__}' | format") == "{0.__class__}"


def test_a_product_of_lists_counts_what_it_stands_for():
    with pytest.raises(ExpressionError, match=r"1,000,000 elements"):
        value("[[[0] * 100] * 100] * 101")


@pytest.mark.slow
def test_the_clock_stops_an_expression_after_a_second():
    began = time.perf_counter()
    with pytest.raises(ExpressionError, match="longer than 1 s"):
        value("range(10000000) | select('even') | list | length")
    assert 0.9 < time.perf_counter() - began < 20


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(" * 300 + "1" + ")" * 300, "too deep"), ("not " * 3000 + "1", "too deep"), ("-" * 3000 + "1", "too deep"), ("1" + "+1" * 3000, "too deep"), ("[" * 3000 + "]" * 3000, "too deep"),
        ("1" + "|abs" * 4000, "too deep"), ("params" + ".b" * 9_000, "has no `b`"), ("item" + "[0]" * 6_000, "too deep"), ("params" + "['b']" * 3_900, "too deep"), ("item.a(" * 2000 + ")" * 2000, "too deep|no method"),
    ],
    ids=range(10),
)  # fmt: skip
def test_deep_nesting_is_an_error(text, why):
    began = time.perf_counter()
    with pytest.raises((ExpressionError, TemplateError), match=why):
        value(text)
    assert time.perf_counter() - began < 20
