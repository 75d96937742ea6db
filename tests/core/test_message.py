"""Bodies: what PostgreSQL keeps comes back equal and of the same type, and the rest is refused by name."""

import datetime
import math

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tpq.message import MAX_DEPTH, decode, decode_many, encode

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | st.integers(-(10**4000), 10**4000) | floats | text
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)
fixed = settings(max_examples=150, deadline=None, derandomize=True, database=None, print_blob=True)


def same(one, other):
    """Equal, and of the same type all the way down: to Python, True is 1 and 1 is 1.0."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(same(value, other[key]) for key, value in one.items())
    return not isinstance(one, list) or all(map(same, one, other))


def nested(depth, leaf=0, *, kind="list"):
    for _ in range(depth):
        leaf = [leaf] if kind == "list" else {"a": leaf}
    return leaf


@pytest.fixture(scope="module")
def kept(session_conn: psycopg.Connection):
    """What a jsonb column gives back for a body."""
    return lambda body: decode(session_conn.execute("SELECT %s::jsonb::text", [encode(body)]).fetchone()[0])


@fixed
@given(values)
def test_any_json_value_comes_back_equal_and_of_its_type(kept, body):
    assert same(kept(body), body)


@fixed
@given(floats)
@example(1e15)
@example(1e16)
@example(-1e16)
@example(1e22)
@example(1e23)
@example(1e308)
@example(1.7976931348623157e308)
@example(5e-324)
@example(-0.0)
def test_a_float_stays_the_same_float_at_any_magnitude(kept, number):
    assert same(kept({"a": [number]}), {"a": [number]})


@pytest.mark.parametrize("body", [{}, [], "", 0, 0.0, False, None, True, 1, 1.0])
def test_false_and_empty_values_are_bodies_like_others(kept, body):
    assert same(kept(body), body)


@pytest.mark.parametrize("digits", [1, 100, 4000])
def test_an_integer_keeps_every_digit(kept, digits):
    number = 10**digits - 1
    assert same(kept([number, -number]), [number, -number])


@pytest.mark.parametrize(
    "body",
    [
        "1e+16",
        '"1e+16',
        [1e16, "\\", '\\"1e+30', 'a"1e+17"'],
        {"1e+16": 1e16, '"': 1e300},
        "\\u0000",
        "\\\\u0000",
    ],
)
def test_text_that_looks_like_a_number_or_an_escape_stays_text(kept, body):
    assert same(kept([body, 1e16]), [body, 1e16])


def test_a_tuple_comes_back_as_an_array(kept):
    assert kept({"a": (1, (2,))}) == {"a": [1, [2]]}


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("leaf", [0, 1e300])
def test_a_body_nested_as_deep_as_allowed_comes_back(kept, kind, leaf):
    body = nested(MAX_DEPTH, leaf, kind=kind)
    assert kept(body) == body


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_a_body_nested_deeper_is_refused(depth, kind):
    with pytest.raises(ValueError, match="nested deeper than 500"):
        encode(nested(depth, kind=kind))


@pytest.mark.parametrize("width", [1, 2, 1000])
def test_a_body_that_contains_itself_is_refused(width):
    body = []
    body += [{"a": body}] * width
    with pytest.raises(ValueError, match="contains itself"):
        encode(body)


def test_a_part_that_stands_at_two_places_is_no_circle(kept):
    part = {"a": [1]}
    assert kept([part, [part, part]]) == [part, [part, part]]


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        (math.nan, ValueError, r"body: nan"),
        ({"a": [0, math.inf]}, ValueError, r"body\.a\[1\]: inf"),
        ([-math.inf], ValueError, r"body\[0\]: -inf"),
        ("\0", ValueError, r"body: .*NUL"),
        ({"a": {"b": "x\0y"}}, ValueError, r"body\.a\.b: .*NUL"),
        ({"a": {"k\0": 1}}, ValueError, r"key 'k\\x00' of body\.a: .*NUL"),
        ("\ud800", ValueError, r"body: a lone surrogate"),
        ([["\ud83d\ude00"]], ValueError, r"body\[0\]\[0\]: a lone surrogate"),
        ({"\udfff": 1}, ValueError, r"key '\\udfff' of body: a lone surrogate"),
        ({"a": {1: 2}}, TypeError, r"body\.a: an object key must be a string, not 1"),
        ([{None: 2}], TypeError, r"body\[0\]: an object key must be a string, not None"),
        ({(1, 2): 3}, TypeError, r"body: an object key must be a string"),
        ({"a": [{1, 2}]}, TypeError, r"body\.a\[0\]: a set is not JSON"),
        (b"x", TypeError, r"body: a bytes is not JSON"),
        ({"at": datetime.date(2020, 1, 1)}, TypeError, r"body\.at: a date is not JSON"),
        ([object], TypeError, r"body\[0\]: a type is not JSON"),
        ({"n": [10**4999]}, ValueError, r"body\.n\[0\]: an integer of that many digits"),
        ({"n": -(10**4999)}, ValueError, r"body\.n: an integer of that many digits"),
    ],
)
def test_what_can_not_be_kept_is_refused_with_its_place(body, error, said):
    with pytest.raises(error, match=said):
        encode(body)


@pytest.mark.parametrize(
    "body", ["x" * 10_000_000, [{"n": n, "t": "é" * 80} for n in range(50_000)]], ids=["text", "rows"]
)
def test_a_body_of_ten_megabytes_goes_and_comes_back(table, body):
    table.put({"body": encode(body)})
    assert table.get()[0].body == body


@pytest.mark.parametrize("texts", [[], ["1"], ['{"a": [1, "]"]}', None, '","', "[]", "null"]])
def test_many_bodies_are_read_as_each_alone(texts):
    assert decode_many(texts) == [decode(text) for text in texts]
