"""Where the server is: arguments first, then the environment; and what is said when it is not there."""

import socketserver
import struct
import threading
import traceback

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import tpq
from tpq import config

SECRET = "very-secret"


@pytest.fixture
def server(dsn, monkeypatch):
    """The server's address in parts; its port is where libpq looks by itself."""
    for name in ("TPQ_URL", "TPQ_HOST", "TPQ_DB", "TPQ_USER", "TPQ_PASS", "PGDATABASE", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    parts = conninfo_to_dict(dsn)
    monkeypatch.setenv("PGPORT", str(parts.get("port", 5432)))
    return {key: parts[key] for key in ("host", "dbname", "user")}


def reached(**arguments):
    with config.connect(**arguments) as connection:
        assert connection.autocommit
        return connection.info.dbname


def test_the_environment_may_hold_a_url(dsn, server):
    assert reached(environment={"TPQ_URL": dsn}) == server["dbname"]


def test_a_url_may_be_a_uri(server, monkeypatch):
    uri = f"postgresql://{server['user']}@/{server['dbname']}?host={server['host']}"
    assert reached(environment={"TPQ_URL": uri}) == server["dbname"]


def test_the_environment_may_hold_the_parts(server):
    names = {"host": "TPQ_HOST", "dbname": "TPQ_DB", "user": "TPQ_USER"}
    assert reached(environment={names[key]: value for key, value in server.items()}) == server["dbname"]


def test_the_password_comes_from_the_environment_too(server):
    environment = {"TPQ_HOST": server["host"], "TPQ_DB": server["dbname"], "TPQ_USER": server["user"]}
    with config.connect(environment={**environment, "TPQ_PASS": SECRET}) as connection:
        assert connection.info.password == SECRET


def test_arguments_say_it_all(server):
    assert reached(**server, environment={}) == server["dbname"]


def test_arguments_come_before_the_parts_of_the_environment(server):
    assert reached(**server, environment={"TPQ_HOST": "/nowhere", "TPQ_DB": "none"}) == server["dbname"]


def test_what_the_arguments_leave_open_comes_from_the_parts(server):
    environment = {"TPQ_HOST": server["host"], "TPQ_USER": server["user"], "TPQ_DB": "none"}
    assert reached(dbname=server["dbname"], environment=environment) == server["dbname"]


def test_what_the_arguments_leave_open_comes_from_the_url(dsn, server):
    assert reached(dbname="postgres", environment={"TPQ_URL": dsn}) == "postgres"


def test_a_url_comes_before_the_parts_of_the_environment(dsn, server):
    assert reached(environment={"TPQ_URL": dsn, "TPQ_HOST": "/nowhere", "TPQ_DB": "none"}) == server["dbname"]


def test_a_queue_takes_the_arguments(table, server):
    with tpq.Queue(table.name, **server) as queue:
        assert len(queue) == 0


@pytest.mark.parametrize(
    "use",
    [lambda name: tpq.put(name, {}), tpq.clear, lambda name: tpq.get(name).__enter__()],
)
def test_the_shortcuts_read_the_environment(table, put, dsn, server, monkeypatch, use):
    put()
    monkeypatch.setenv("TPQ_URL", dsn)
    use(table.name)


def test_the_shortcuts_do_the_whole_round(table_name, server):
    tpq.create(table_name, **server)
    number = tpq.put(table_name, {"a": 1}, **server)
    with tpq.get(table_name, **server) as body:
        assert (body, number) == ({"a": 1}, 1)
    tpq.put(table_name, 2, **server)
    assert tpq.clear(table_name, **server) == 1


def test_a_shortcut_gives_the_message_back_after_an_exception(table, put, server):
    put()
    with pytest.raises(ZeroDivisionError):
        with tpq.get(table.name, **server):
            raise ZeroDivisionError
    assert table.count() == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ({"host": "/nowhere"}, {}, "host=/nowhere"),
        ({"host": "127.0.0.1", "user": "x"}, {"TPQ_PASS": SECRET}, "host=127.0.0.1"),
        ({"host": "/nowhere", "password": SECRET}, {}, "host=/nowhere"),
        ({}, {"TPQ_HOST": "/nowhere", "TPQ_PASS": SECRET}, "host=/nowhere"),
        ({}, {"TPQ_URL": f"postgresql://u:{SECRET}@/d?host=/nowhere"}, "TPQ_URL"),
        ({}, {"TPQ_URL": f"postgres//u:{SECRET}@host/d"}, "TPQ_URL is not a connection string"),
        ({}, {"TPQ_URL": f"postgresql://u:%zz{SECRET}@host/d"}, "TPQ_URL is not a connection string"),
        ({}, {"TPQ_URL": f"host=x passwort={SECRET}"}, "TPQ_URL is not a connection string"),
    ],
    ids=str,
)
def test_a_server_out_of_reach_is_named_in_one_line_without_the_password(
    monkeypatch, arguments, environment, said
):
    monkeypatch.setenv("PGPORT", "1")
    with pytest.raises(tpq.ConfigError, match=said) as caught:
        config.connect(**arguments, environment=environment)
    assert "\n" not in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_database_that_is_not_there_is_named(server):
    with pytest.raises(tpq.ConfigError, match="none_of_that_name"):
        config.connect(**{**server, "dbname": "none_of_that_name"}, environment={})


@pytest.fixture
def guarded():
    """The port of a server that refuses every password, as PostgreSQL does it."""
    said = b'SFATAL\0C28P01\0Mpassword authentication failed for user "ada"\0\0'
    answer = b"R" + struct.pack("!II", 8, 3)
    refusal = b"E" + struct.pack("!I", len(said) + 4) + said

    class Refuse(socketserver.BaseRequestHandler):
        def handle(self):
            for reply in (answer, refusal):
                self.request.recv(4096)
                self.request.sendall(reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_wrong_password_is_said_without_it(guarded):
    url = f"postgresql://ada:{SECRET}@127.0.0.1:{guarded}/d?sslmode=disable&gssencmode=disable"
    with pytest.raises(tpq.ConfigError, match="password authentication failed") as caught:
        config.connect(environment={"TPQ_URL": url})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_cause_is_kept(server):
    with pytest.raises(tpq.ConfigError) as caught:
        config.connect(host="/nowhere", environment={})
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)
