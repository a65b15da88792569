"""Where both give a value, ours is the one that Jinja2's own runtime gives."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import StrictUndefined, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.model import Mark
from speedpix_pipe.spec.expressions import Scope, render
from speedpix_pipe.spec.templates import TemplateError, parse

JINJA = SandboxedEnvironment(undefined=StrictUndefined)
NAMES = {"params": {"n": 3, "t": "ab c", "l": [3, 1, 2], "o": {"a": 1, "b": [True]}}, "index": 2}

atoms = st.sampled_from(
    ["1", "0", "2.5", "'x'", "'a b'", "''", "true", "false", "none", "params.n", "params.t", "params.l", "params.o", "params.o.b[0]", "params.l[1:]", "index", "[1, 'a']", "{'k': 1}", "range(3)"]
)  # fmt: skip
filters = st.sampled_from(
    ["length", "upper", "title", "first", "last", "sort", "join('-')", "default(1)", "default('z', true)", "sum", "max", "min", "unique | list", "abs", "round(1)", "reverse | list", "list", "trim", "batch(2) | list",
     "map('string') | list", "select | list", "reject('odd') | list", "replace('a', 'b')", "wordcount", "capitalize", "truncate(3, true, '')", "slice(2) | list", "dictsort | length"]
)  # fmt: skip
places = st.sampled_from(["0", "1", "-1", "9", "index", "params.n", "'a'", "'k'", "'nope'"])
tests = st.sampled_from(
    [
        "defined",
        "none",
        "string",
        "integer",
        "odd",
        "mapping",
        "sequence",
        "divisibleby 2",
        "in [1, 2]",
        "eq 1",
        "boolean",
    ]
)


def grown(inner):
    binary = st.sampled_from(
        ["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]
    )
    return st.one_of(
        st.builds("({} {} {})".format, inner, binary, inner),
        st.builds("({} {} {} {} {})".format, inner, binary, inner, binary, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} | {})".format, inner, filters),
        st.builds("({} is {})".format, inner, tests),
        st.builds("({} is not {})".format, inner, tests),
        st.builds("not {}".format, inner),
        st.builds("-{}".format, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{}[{}]".format, inner, places),  # true and false are no places here, in Python they are 1 and 0
        st.builds("{{'a': {}}}.a".format, inner),
    )


def plain(value):
    """Jinja2 gives tuples and ranges here and there."""
    if isinstance(value, list | tuple | range):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, str):
        return value.casefold()  # a boolean in a text is `true` here and `True` there
    return (type(value).__name__, value)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.recursive(atoms, grown, max_leaves=6))
def test_a_value_is_the_one_that_jinja_gives(expression):
    try:
        ours = render(parse("${{ " + expression + " }}", lambda _: Mark("p.yaml", 1, 1)), Scope(Path("/"), **NAMES))
    except (ExpressionError, TemplateError):
        return  # we refuse more than Jinja2 does
    try:
        theirs = JINJA.compile_expression(expression, undefined_to_none=False)(**NAMES)
    except TypeError:
        return  # a list is in no object, which Python does not even ask
    except UndefinedError:
        return  # we may ask whether there is something behind what is not there
    assert plain(ours) == plain(theirs)
