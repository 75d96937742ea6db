"""SQL files in, ready statements out; and names of all kinds."""

import ast
import re
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tpq
from tpq import schema
from tpq.statements import compose, object_name
from tpq.table import QueueTable, Receipt

HOUR = timedelta(hours=1)
SQL = Path(str(resources.files("tpq").joinpath("sql")))
FILES = sorted(path.relative_to(SQL).with_suffix("").as_posix() for path in SQL.rglob("*.sql"))
HOUSES = [Path(tpq.__file__).parent, Path(tpq.__file__).parent.parent / "django_tpq"]
SOURCES = sorted(path for house in HOUSES for path in house.rglob("*.py"))
SUFFIXES = ("state", "counts", "ready", "suspect", "due", "unique", "bell")
SPOKEN = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|COPY|ALTER|CREATE|DROP|LISTEN|UNLISTEN|NOTIFY)\s[^a-z]"
)

NAMES = [
    "plain",
    "Upper Case",
    'quo"ted',
    "it's",
    "100%",
    "%s",
    "%%",
    "%(name)s",
    "{braces}",
    "{table}",
    "back\\slash",
    "semi;colon--",
    "schöne Grüße",
    "队列",
    "🐘",
    "select",
    "with.dot",
    "n" * 63,
    "ü" * 31,
    "n" * 56 + '%"',
]


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_first_what_it_does_and_promises(name):
    assert re.match(r"-- [A-Z].{15,}", SQL.joinpath(f"{name}.sql").read_text("utf-8"))


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_used(name):
    step = re.fullmatch(r"schema/(\d{3})_(install|uninstall)", name)
    if step:
        assert 1 <= int(step[1]) <= schema.VERSION
    else:
        assert any(names(path.read_text("utf-8"), name) for path in SOURCES)


def names(source, name):
    """Whether a source names a file, in full or as one of its folder's."""
    folder, _, last = name.rpartition("/")
    return f'"{name}"' in source or (folder and f'"{folder}/{{' in source and f'"{last}"' in source)


@pytest.mark.parametrize("name", FILES)
def test_every_file_can_be_composed(name):
    text = compose(name, "t", returning=("id", "body"), columns=("id",), filters=(("a", True), ("b", False)))
    assert not re.search(r"(?<!')\{(?!\})", text.replace("'{}'", ""))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_no_statement_is_spliced_from_strings(path):
    spliced = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for text in spliced_parts(node)
        if SPOKEN.match(text)
    ]
    assert spliced == []


def spliced_parts(node):
    """The constant strings that an f-string, a `%` or a `+` would put something into."""
    if isinstance(node, ast.JoinedStr):
        parts = node.values
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.Add)):
        parts = [node.left]
    else:
        parts = []
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


# Names ----------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(min_size=1, max_size=63), st.sampled_from(SUFFIXES))
def test_an_objects_name_is_never_cut_by_the_server(table, suffix):
    assert len(object_name(table.encode(errors="ignore")[:63].decode(errors="ignore"), suffix).encode()) <= 63


def test_a_short_name_is_readable():
    assert object_name("mail", "ready") == "mail_ready"


def test_long_names_that_begin_alike_have_objects_of_different_names():
    names = {object_name("n" * 60 + end, suffix) for end in ("aaa", "aab", "b", "") for suffix in SUFFIXES}
    assert len(names) == 4 * len(SUFFIXES)


@pytest.fixture(params=NAMES, ids=ascii)
def named(request, conn):
    """A queue with an odd name."""
    schema.create(request.param, conn.cursor)
    yield QueueTable.of_messages(request.param, conn.cursor)
    schema.drop(request.param, conn.cursor)


def test_a_queue_may_have_any_name(named, conn, age):
    held = QueueTable.of_messages(named.name, conn.cursor)
    assert schema.version(named.name, conn.cursor) == schema.VERSION
    named.put({"body": "1"})
    named.put({"body": "2", "unique_key": "k"}, unique=True)
    named.put_many(["3", "4"], 0, None)
    named.copy(("body",), [("5",), ("6",)], 2)
    assert [message.body for message in named.peek(9)] == [1, 2, 3, 4, 5, 6]
    assert named.get()[0].body == 1
    (claimed,) = held.claim(1, 1)
    assert held.reclaim([1], begun=[])[0][0] == claimed.id
    (leased,) = held.lease(HOUR)
    assert held.retry([Receipt(leased.id, leased.claim_no)], [HOUR], [None]) == {leased.id}
    age(named, leased.id, hours=2)
    assert named.promote() == [(leased.id, "ready")]
    (leased,) = held.lease(HOUR)
    assert held.bury([Receipt(leased.id, leased.claim_no)], ["bad"]) == {leased.id}
    assert held.requeue([leased.id]) == {leased.id}
    assert (named.count(), named.purge(), named.clear(), named.next_due()) == (5, 0, 5, None)


def test_the_bell_of_a_queue_with_any_name_rings(named, connect):
    ear = connect()
    ear.execute(f"LISTEN {named.channel()}")
    assert (named.ask(60), named.ask(60)) == (False, True)
    named.ring_if_asked()
    list(ear.notifies(timeout=5, stop_after=1))
    named.put({"body": "1"})
    named.ring("by hand")
    assert [notice.payload for notice in ear.notifies(timeout=5, stop_after=2)] == ["", "by hand"]


def test_a_queue_with_any_name_can_be_undone(named, conn):
    conn.execute(schema.install_statement(named.name, 1, undo=True), {})
    assert schema.version(named.name, conn.cursor) is None
