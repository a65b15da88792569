from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedpix_pipe.files import canonical_json

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        (1.0, b"1"),
        (-0.0, b"0"),
        (1.5, b"1.5"),
        (10**30, b"1" + b"0" * 30),
        (1e21, b"1" + b"0" * 21),
        ("é\u0301<阿", '"é\u0301<阿"'.encode()),
        (("a",), b'["a"]'),
    ],
)
def test_one_spelling(value, written):
    assert canonical_json(value) == written


@pytest.mark.parametrize(
    ("value", "error"),
    [(float("nan"), ValueError), (float("inf"), ValueError), ({1: 2}, TypeError), (object(), TypeError)],
)
def test_what_json_lacks_is_refused(value, error):
    with pytest.raises(error):
        canonical_json([value])


@settings(max_examples=60)
@given(values)
def test_the_bytes_are_json_of_an_equal_value_and_stay_the_same(value):
    written = canonical_json(value)
    assert json.loads(written) == value
    assert canonical_json(json.loads(written)) == written


@given(st.dictionaries(st.text(), scalars))
def test_the_order_of_keys_does_not_count(value):
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)
