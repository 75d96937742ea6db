"""What counts as equal arguments."""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, StrEnum
from uuid import UUID

import pytest
from django.contrib.auth.models import Group

from django_tpq.futures.canonical import digest
from django_tpq.futures.uniqueness import key_of


class Colour(Enum):
    RED = 1
    CRIMSON = 2


class Rights(Flag):
    READ = 1
    WRITE = 2


class Word(StrEnum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int
    seen: int = field(default=0, compare=False)


class Bag:
    """It has no order of its own."""

    def __init__(self, *things):
        self.things = set(things)


class Closed:
    """Nobody can look into it."""

    def __reduce__(self):
        raise ValueError("hunter2")


def takes(a, b=2, *rest, c=None, **more): ...


def key(*args, **kwargs):
    return key_of("the.task", takes, "args", args, kwargs)


def twin(text):
    """Equal text that is another object."""
    return "".join(list(text))


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [2]}, {"b": (2,), "a": 1}),
        ({"long text", "another", "third"}, frozenset(["third", "another", "long text"])),
        (["text", "text"], ["text", twin("text")]),
        (Bag("a", "b", "c", "d"), Bag("d", "c", "b", "a")),
        (Bag("text", "t"), Bag("t", twin("text"))),
        (NOON, datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))),
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal(100), Decimal("1E+2")),
        (Decimal("0.0"), Decimal(0)),
        (Point(1, 2), Point(1, 2, seen=9)),
        (Word.RED, "red"),
        (Colour.RED, Colour(1)),
        (b"raw", bytearray(b"raw")),
        (UUID(int=7), UUID(int=7)),
        (Group(pk=7, name="before"), Group(pk=7, name="after")),
        ("\udc80", "\udc80"),
        (re.compile("a"), re.compile("a")),
    ],
)
def test_equal_values_are_one(one, other):
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, True),
        (0, None),
        ("", None),
        (b"a", "a"),
        ([], {}),
        ([], set()),
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [[1, 2]]),
        ({1: 2}, [[1, 2]]),
        ({"a": "b"}, {"b": "a"}),
        (NOON, NOON.replace(tzinfo=None)),
        (NOON, NOON.isoformat()),
        (date(2026, 1, 1), datetime(2026, 1, 1)),  # noqa: DTZ001 - that is the question
        (timedelta(1), timedelta(0, 1)),
        (Decimal("1.1"), Decimal(11)),
        (Decimal(-1), Decimal(1)),
        (Point(1, 2), Point(2, 1)),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Colour.RED, Colour.CRIMSON),
        (Rights(0), Rights.READ),
        (Rights.READ | Rights.WRITE, Rights.READ),
        (Group(pk=7), 7),
        (Bag("a"), Bag("b")),
        (Bag, Point),
    ],
)
def test_others_are_two(one, other):
    assert digest(one) != digest(other)


def test_it_does_not_matter_how_arguments_are_given():
    assert key(7) == key(a=7) == key(7, 2) == key(b=2, a=7) == key(7, c=None)
    assert key(7, x=1, y=2) == key(7, y=2, x=1)
    assert len({key(7), key(8), key(7, 3), key(7, 2, 3), key(7, c=3), key(7, x=3), key(7, y=3)}) == 7


def test_arguments_that_do_not_fit_are_as_they_were_given():
    assert key() == key() != key(b=1)


def test_every_process_says_the_same():
    code = "from django_tpq.futures.canonical import digest; print(digest([{'a', 'b', 'c', 'd'}, print, re, 1.5]))"
    code = f"import re as _; re = _.compile('a'); {code}"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "123"
    }
    assert len(told) == 1


@dataclass
class Broken:
    """It says that it has what it has not."""

    x: int = field(init=False)


def circle():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Closed(), "it can not be said what a Closed consists of"),
        ([circle()], "it contains itself"),
        (Broken(), "to look into it raises AttributeError"),
        (Group(name="new"), "a auth.Group that is not saved"),
    ],
    ids=["closed", "circle", "broken", "unsaved"],
)
def test_what_can_not_be_compared_is_named_with_what_to_do(value, said):
    with pytest.raises(
        TypeError, match=rf"task the.task: .* the argument 'c': {said}.*let unique be a template"
    ) as caught:
        key(1, c=value)
    assert "hunter2" not in str(caught.value)
