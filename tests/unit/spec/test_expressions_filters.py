from __future__ import annotations

from pathlib import Path

import pytest
from jinja2.defaults import DEFAULT_FILTERS, DEFAULT_TESTS

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Mark
from speedpix_pipe.spec.checks import CHECKS
from speedpix_pipe.spec.expressions import Scope, render
from speedpix_pipe.spec.filters import FILTERS
from speedpix_pipe.spec.templates import parse

ROWS = [
    {"name": "cup", "price": 12, "tags": ["a"]},
    {"name": "Bowl", "price": 7.5, "sale": True},
    {"name": "jug", "price": 12},
]


def value(expression: str):
    files = [FileValue.local(Path("/spec") / name, Path("/spec")) for name in ("b.jpg", "a.jpg")]
    scope = Scope(Path("/spec"), params={"rows": ROWS, "o": {"b": 2, "A": 1}, "files": files}, item=files[0])
    return render(parse("${{ " + expression + " }}", lambda _: Mark("p.yaml", 1, 1)), scope)


def test_jinjas_own_filters_and_tests_are_all_here_but_the_random_one():
    assert set(DEFAULT_FILTERS) - set(FILTERS) == {"random"}
    assert set(DEFAULT_TESTS) <= set(CHECKS)
    assert set(FILTERS) - set(DEFAULT_FILTERS) == {"stem", "slug"}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        # text
        ("'aB' | upper ~ ('aB' | lower)", "ABab"), ("'ab cd' | title", "Ab Cd"), ("'ab CD' | capitalize", "Ab cd"), ("' a ' | trim", "a"), ("'xax' | trim('x')", "a"),
        ("'a-b' | replace('-', '+')", "a+b"), ("'aaa' | replace('a', 'b', 2)", "bba"), ("'ab' | center(6)", "  ab  "), ("'a\\nb' | indent(2)", "a\n  b"),
        ("'a b c' | wordcount", 3), ("'aaa bbb' | wordwrap(3)", "aaa\nbbb"), ("'abcdef' | truncate(5, true, '.', 0)", "abcd."), ("'<a>' | e", "&lt;a&gt;"), ("'<a>' | escape | safe", "&lt;a&gt;"),
        ("'<b>x</b> y' | striptags", "x y"), ("'a b/ü' | urlencode", "a%20b/%C3%BC"), ("{'a': 1, 'b': 'x y'} | urlencode", "a=1&b=x+y"), ("1000000 | filesizeformat", "1.0 MB"),
        ("'%s has %d' | format('a', 3)", "a has 3"), ("'%(x)s' | format(x=1)", "1"), ("true | string", "true"), ("1.0 | string", "1.0"), ("item | string", "b.jpg"), ("item | upper", "B.JPG"),
        ("{'id': 'a<'} | xmlattr", ' id="a&lt;"'), ("'see http://x.org' | urlize", 'see <a href="http://x.org" rel="noopener">http://x.org</a>'), ("[1, {'ü': '<'}] | tojson", '[1, {"ü": "<"}]'),
        ("[1] | tojson(indent=1)", "[\n 1\n]"), ("params.files | tojson", '["b.jpg", "a.jpg"]'), ("{'a': 1} | pprint", '{\n  "a": 1\n}'), ("'b' | forceescape", "b"),
        ("item | stem", "b"), ("'x/y.tar.gz' | stem", "y.tar"), ("'a.b' | attr('c') | default('none')", "none"),
        ("' Red  Cup No. 5! ' | slug", "red-cup-no-5"), ("'阿里云 Café Ünder_score' | slug", "阿里云-café-ünder_score"), ("'हिन्दी' | slug", "हिन्दी"), ("'--' | slug", ""),
        # numbers
        ("'12' | int", 12), ("' -7 ' | int", -7), ("'12.9' | int", 12), ("2.9 | int", 2), ("'ff' | int(base=16)", 255), ("'x' | int(3)", 3), ("'x' | int(default=none)", None), ("'1.5' | float", 1.5), ("'1e3' | float", 1000.0), ("3 | float", 3.0),
        ("'x' | float(0.5)", 0.5), ("-3 | abs", 3), ("(-3) | abs", 3), ("2.567 | round(1)", 2.6), ("2.1 | round(0, 'ceil')", 3.0), ("2.9 | round(method='floor')", 2.0), ("3 | round", 3),
        # lists
        ("[3, 1, 2] | sort", [1, 2, 3]), ("['b', 'A'] | sort", ["A", "b"]), ("['b', 'A'] | sort(true)", ["b", "A"]), ("params.files | sort | map(attribute='name')", ["a.jpg", "b.jpg"]),
        ("params.rows | sort(attribute='price,name') | map(attribute='name')", ["Bowl", "cup", "jug"]), ("params.rows | map(attribute='price') | sum", 31.5), ("params.rows | sum('price')", 31.5), ("[[1], [2]] | sum(start=[])", [1, 2]), ("range(5) | sum", 10),
        ("params.rows | map(attribute='tags.0', default='-')", ["a", "-", "-"]), ("['a', 'b'] | map('upper')", ["A", "B"]), ("['a', ''] | map('default', 'x', true)", ["a", "x"]), ("[1, 2] | map('string') | join('+')", "1+2"),
        ("[1, 0, 2] | select", [1, 2]), ("[1, 0, 2] | reject", [0]), ("[1, 2, 3] | select('odd')", [1, 3]), ("[1, 2, 3] | reject('>', 1)", [1]), ("params.rows | selectattr('sale', 'defined') | map(attribute='name')", ["Bowl"]),
        ("params.rows | rejectattr('price', '==', 12) | map(attribute='name')", ["Bowl"]), ("params.rows | selectattr('price', 'in', [12]) | length", 2),
        ("[1, 2, 3] | first", 1), ("[1, 2, 3] | last", 3), ("'abc' | first", "a"), ("{'a': 1} | first", "a"), ("[1, 2] | reverse", [2, 1]), ("'ab' | reverse", "ba"), ("range(3) | reverse", [2, 1, 0]), ("range(3) | list", [0, 1, 2]), ("'ab' | list", ["a", "b"]),
        ("['a', 'A', 'b'] | unique", ["a", "b"]), ("params.rows | unique(attribute='price') | map(attribute='name')", ["cup", "Bowl"]), ("params.rows | min(attribute='price')", ROWS[1]), ("[1, 3] | max", 3), ("range(4) | max", 3), ("[] | max | default(0)", 0),
        ("params.rows | groupby('price') | map('first')", [7.5, 12]), ("params.rows | groupby('price') | map(attribute='grouper')", [7.5, 12]), ("(params.rows | groupby('price'))[1].list | map(attribute='name')", ["cup", "jug"]),
        ("params.o | dictsort", [["A", 1], ["b", 2]]), ("params.o | dictsort(by='value', reverse=true)", [["b", 2], ["A", 1]]), ("params.o | items", [["b", 2], ["A", 1]]), ("params.o | length", 2), ("[1, 2, 3] | batch(2)", [[1, 2], [3]]), ("[1, 2, 3] | batch(2, 0)", [[1, 2], [3, 0]]),
        ("[1, 2, 3] | slice(2)", [[1, 2], [3]]), ("[1, 2, 3] | slice(2, 0)", [[1, 2], [3, 0]]), ("['a', 1, true, 1.5] | join(', ')", "a, 1, true, 1.5"), ("params.rows | join('/', attribute='name')", "cup/Bowl/jug"), ("'abc' | count", 3),
        # tests
        ("4 is even and 3 is odd and 6 is divisibleby 3", True), ("'a' is string and 1 is number and 1 is integer and 1.5 is float", True), ("null is none and null is null and true is true and true is boolean and false is false", True),
        ("[1] is sequence and {} is mapping and [] is iterable", True), ("1 is in [1] and 1 is lt 2 and 2 is ge(2) and 1 is ne 2", True), ("'a' is lower and 'A' is upper and 'a' is not upper", True), ("true is number or true is integer", False), ("item is string", False),
    ],
)  # fmt: skip
def test_filters_and_tests(expression, result):
    found = value(expression)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("'a' | int", "is no number"), ("'' | int", "is no number"), ("null | int", "is no number"), ("true | int", "is no number"), ("'nan' | float", "is no number"), ("'inf' | float", "is no number"), ("'1_0' | int", "is no number"), ("'1e999' | int", "is no number"),
        ("[1, 'a'] | sort", "no common order"), ("[null] | sort", "no place in an order"), ("[[1]] | max", "no place in an order"), ("[[1]] | unique", "told apart"), ("params.rows | map(attribute='nope')", "has no `nope`"), ("params.rows | selectattr('sale')", "has no `sale`"),
        ("1 | length", "has no length"), ("1 | list", "a list is needed"), ("1 | join", "a list is needed"), ("[] | first", "no `first`"), ("[1] | items", "an object is needed"), ("'a' | abs", "needs a number"), ("1 | round(1, 'up')", "knows"), ("[1] | map", "filter's name"), ("[1] | map('nope')", "no filter"), ("[1] | select('nope')", "no test"),
        ("[1] | map(attribute='x', y=1)", "knows no `y=`"), ("'a' | upper(1)", "filter `upper`"), ("'a' | indent(nope=1)", "filter `indent`"), ("1 is divisibleby 0", "division by zero"), ("'a' is odd", "whole number"), ("1 is odd(2)", "wrong number"), ("[] | batch(0)", "at least 1"), ("[] | slice(0)", "at least 1"), ("'a' | truncate(1)", "no room"),
        ("'a' | wordwrap(0)", "at least 1"), ("{} | dictsort(by='x')", "by 'key'"), ("1 | xmlattr", "needs an object"), ("'a' | filesizeformat", "needs a number"), ("[1] | tojson(99)", "indent"), ("[1] | selectattr", "an attribute is needed"), ("'x' | replace('a')", "filter `replace`"), ("1 | round(1000)", "precision"), ("'a' | center('x')", "whole number"),
    ],
)  # fmt: skip
def test_what_filters_refuse(expression, why):
    with pytest.raises(ExpressionError) as caught:
        value(expression)
    assert why in caught.value.message
    assert caught.value.where == "p.yaml:1:1"
