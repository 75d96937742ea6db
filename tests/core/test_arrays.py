"""Arrays as texts say what they were made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpq import arrays

STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def read(session_conn):
    return lambda text, kind: session_conn.execute(f"SELECT %s::{kind}[]", [text]).fetchone()[0]


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers(read, values):
    assert read(arrays.numbers(values), "bigint") == values


@given(values=st.lists(STORABLE))
def test_texts(read, values):
    assert read(arrays.texts(values), "text") == values


@given(values=st.lists(st.binary()))
def test_binaries(read, values):
    assert read(arrays.binaries(values), "bytea") == values


@pytest.mark.parametrize("value", ['"', "\\", "{}", ",", "NULL", "", " ", '\\"', "'", "%s"])
def test_what_has_a_meaning_in_arrays_is_a_text_like_any_other(read, value):
    assert read(arrays.texts([value, value]), "text") == [value, value]
