"""The `tpq` command in real processes: JSON on standard output, all else on standard error, and the exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tpq.cli import main

UNREACHABLE = {"TPQ_URL": "postgresql://u:very-secret@/d?host=/nowhere"}


@pytest.fixture
def environment(dsn):
    """The process's environment, with the server in TPQ_URL."""
    return {**os.environ, "TPQ_URL": dsn}


@pytest.fixture
def tpq(environment):
    """Run `python -m tpq` with arguments."""

    def tpq(*arguments, stdin=b"", stdout=subprocess.PIPE, **settings):
        return subprocess.run(
            [sys.executable, "-m", "tpq", *arguments],
            input=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=environment | settings,
            timeout=30,
            check=False,
        )

    return tpq


@pytest.fixture
def consumer(environment, table, conn, eventually):
    """A process that waits for a message."""
    command = [sys.executable, "-m", "tpq", "consume", table.name, "--wait=20"]
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background job ignores SIGINT, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    def listens():
        query = "SELECT 1 FROM pg_stat_activity WHERE query = %s"
        assert conn.execute(query, [f'LISTEN "{table.channel()}"']).fetchone()

    with process:
        eventually(listens)
        yield process
        process.kill()


def one_line(stderr):
    return stderr.startswith(b"tpq: ") and stderr.count(b"\n") == 1


# In and out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [{"to": "ada"}, {}, [], 0, None, False, "", "é\n\u2028", 1e300, 10**50], ids=ascii
)
def test_what_is_produced_is_consumed(tpq, table, body):
    tpq("produce", table.name, stdin=json.dumps(body).encode())
    done = tpq("consume", table.name)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, body, b"")


def test_produce_reads_a_file(tpq, table, tmp_path):
    tmp_path.joinpath("body.json").write_text('{"a": 1}\n')
    done = tpq("produce", table.name, f"--file={tmp_path}/body.json")
    assert (done.returncode, done.stdout, done.stderr, table.get()[0].body) == (0, b"", b"", {"a": 1})


def test_a_dash_is_standard_input(tpq, table):
    tpq("produce", table.name, "--file=-", stdin=b"[1]")
    assert table.get()[0].body == [1]


def test_consume_takes_one_message(tpq, table, put):
    put(1)
    put(2)
    tpq("consume", table.name)
    assert [message.body for message in table.get(9)] == [2]


def test_a_message_is_written_as_utf8_whatever_the_locale_says(tpq, table, put):
    put("é")
    assert tpq("consume", table.name, PYTHONIOENCODING="ascii").stdout == '"é"\n'.encode()


def test_count_says_how_many(tpq, table, put):
    put()
    assert tpq("count", table.name).stdout == b"1\n"


def test_produce_creates_the_queue_if_told(tpq, table_name):
    done = tpq("produce", table_name, "--create", stdin=b"1")
    assert (done.returncode, done.stderr, tpq("consume", table_name).stdout) == (0, b"", b"1\n")


def test_produce_creates_nothing_that_is_there(tpq, table, put):
    put(1)
    done = tpq("produce", table.name, "--create", stdin=b"2")
    assert (done.returncode, done.stderr, table.count()) == (0, b"", 2)


def test_creating_twice_only_warns(tpq, table_name):
    tpq("create", table_name)
    done = tpq("create", table_name)
    assert (done.returncode, b"exists already" in done.stderr, one_line(done.stderr)) == (0, True, True)


def test_consume_waits_for_a_message(consumer, put):
    put("came")
    assert (consumer.communicate(timeout=20), consumer.returncode) == ((b'"came"\n', b""), 0)


# Failures: exit code 1, nothing on standard output, one line -----------------------------------------------


@pytest.mark.parametrize("wait", [[], ["--wait=0.2"], ["--wait=-1"]], ids=str)
def test_an_empty_queue_exits_with_1(tpq, table, wait):
    done = tpq("consume", table.name, *wait)
    assert (done.returncode, done.stdout, one_line(done.stderr)) == (1, b"", True)


@pytest.mark.parametrize("command", ["consume", "produce", "count"])
def test_a_missing_queue_exits_with_1(tpq, command):
    done = tpq(command, "nowhere", stdin=b"1")
    assert (done.returncode, done.stdout, b"nowhere" in done.stderr, one_line(done.stderr)) == (
        1,
        b"",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b"", b"empty"),
        (b" \n", b"empty"),
        (b"\xff\xfe", b"not UTF-8"),
        (b'"\xc3"', b"not UTF-8"),
        (b"{'a': 1}", b"not JSON"),
        (b"{} {}", b"not JSON"),
        (b"[" * 100_000, b"not JSON"),
        (b"[" * 600 + b"]" * 600, b"nested deeper"),
        (b"[NaN]", b"body[0]: nan"),
        (b'"\\u0000"', b"NUL"),
        (b'"\\ud800"', b"surrogate"),
        (b"9" * 5000, b"digits"),
    ],
    ids=lambda value: ascii(value[:12]),
)
def test_input_that_is_no_message_exits_with_1_and_changes_nothing(tpq, table, stdin, said):
    done = tpq("produce", table.name, stdin=stdin)
    assert (done.returncode, done.stdout, said in done.stderr, one_line(done.stderr)) == (1, b"", True, True)
    assert table.count() == 0


def test_a_missing_file_exits_with_1(tpq, table, tmp_path):
    done = tpq("produce", table.name, f"--file={tmp_path}/nothing.json")
    assert (done.returncode, b"nothing.json" in done.stderr, one_line(done.stderr)) == (1, True, True)


def test_bad_input_creates_no_queue(tpq, table_name):
    tpq("produce", table_name, "--create", stdin=b"?")
    assert tpq("count", table_name).returncode == 1


@pytest.mark.parametrize("name", ["", "nul\udcff"], ids=ascii)
def test_a_name_that_can_not_be_exits_with_1(tpq, name):
    done = tpq("count", name)
    assert (done.returncode, done.stdout, one_line(done.stderr)) == (1, b"", True)


def test_a_server_out_of_reach_is_one_clear_line(tpq):
    done = tpq("consume", "q", **UNREACHABLE)
    assert (done.returncode, done.stdout, one_line(done.stderr)) == (1, b"", True)
    assert b"cannot connect to PostgreSQL" in done.stderr


def test_a_password_is_never_shown(tpq):
    assert b"very-secret" not in tpq("consume", "q", "--debug", **UNREACHABLE).stderr


@pytest.mark.parametrize(("flags", "shown"), [([], False), (["--debug"], True)], ids=str)
def test_a_traceback_is_shown_with_debug_only(tpq, flags, shown):
    assert (b"Traceback" in tpq("consume", "nowhere", *flags).stderr) is shown


def test_debug_leaves_standard_output_alone(tpq, table, put):
    put(1)
    assert tpq("consume", table.name, "--debug").stdout == b"1\n"


@pytest.mark.parametrize("arguments", [["--help"], ["produce", "--help"], ["consume", "--help"]], ids=str)
def test_help_is_there(tpq, arguments):
    done = tpq(*arguments)
    assert (done.returncode, done.stdout.startswith(b"usage: tpq"), done.stderr) == (0, True, b"")


@pytest.mark.parametrize(
    "arguments", [[], ["consume"], ["consume", "q", "--wait=long"], ["eat", "q"]], ids=str
)
def test_a_command_that_is_none_is_explained(tpq, arguments):
    done = tpq(*arguments)
    assert (done.returncode, done.stdout, b"usage: tpq" in done.stderr) == (2, b"", True)


# Nobody reads ---------------------------------------------------------------------------------------------


def test_a_message_that_can_not_be_written_goes_back(tpq, table, put):
    put("kept")
    with Path("/dev/full").open("wb") as full:
        done = tpq("consume", table.name, stdout=full)
    assert (done.returncode, one_line(done.stderr), table.get()[0].body) == (1, True, "kept")


def test_a_message_for_a_reader_who_has_gone_goes_back(tpq, table, put):
    put("kept")
    reader, writer = os.pipe()
    os.close(reader)
    done = tpq("consume", table.name, stdout=writer)
    os.close(writer)
    assert (done.returncode, one_line(done.stderr), table.get()[0].body) == (1, True, "kept")


def test_a_message_goes_back_where_standard_output_is_closed(environment, table, put):
    put("kept")
    shell = ["sh", "-c", '"$0" -m tpq consume "$1" >&-', sys.executable, table.name]
    done = subprocess.run(shell, env=environment, stderr=subprocess.PIPE, timeout=30, check=False)
    assert (done.returncode, one_line(done.stderr), table.get()[0].body) == (1, True, "kept")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_a_consumer_that_is_stopped_while_it_waits_loses_nothing(consumer, table, put, end):
    consumer.send_signal(end)
    consumer.wait(20)
    put("kept")
    assert (consumer.returncode != 0, table.get()[0].body) == (True, "kept")


def test_an_interrupted_consumer_shows_no_traceback(consumer):
    consumer.send_signal(signal.SIGINT)
    stdout, stderr = consumer.communicate(timeout=20)
    assert (consumer.returncode, stdout, one_line(stderr)) == (1, b"", True)


# In this process ------------------------------------------------------------------------------------------


def test_the_entry_point_is_the_same_command(table, put, dsn, monkeypatch, capfd):
    put({"a": [1]})
    monkeypatch.setenv("TPQ_URL", dsn)
    assert (main(["consume", table.name]), capfd.readouterr().out) == (0, '{"a": [1]}\n')


def test_the_entry_point_returns_its_exit_code(table, dsn, monkeypatch, capfd):
    monkeypatch.setenv("TPQ_URL", dsn)
    assert (main(["consume", table.name]), capfd.readouterr().out) == (1, "")


def test_the_entry_point_writes_where_standard_output_is_replaced(table, put, dsn, monkeypatch, capsys):
    put(1)
    monkeypatch.setenv("TPQ_URL", dsn)
    main(["consume", table.name])
    assert capsys.readouterr().out == "1\n"
