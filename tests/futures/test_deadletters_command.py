"""`manage.py deadletters`: what its actions do, say and end with."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from django_tpq.futures import registry, task
from django_tpq.futures.calls import CallId
from django_tpq.futures.deadletters import moment
from django_tpq.futures.models import CallQueue
from tests.fixtures.process import environment
from tests.futures.deadletters import buried, listed, run
from tests.testapp import tasks
from tests.testapp.models import MailQueue, PlainQueue

HERE = __name__
TROUBLE = "tests.testapp.tasks.Trouble"


@pytest.fixture(autouse=True)
def _registered(monkeypatch, transactional_db):
    """The tasks of these tests are nobody else's."""
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def login(user, password):
    raise PermissionError("no")


# list -----------------------------------------------------------------------------------------------------


def test_without_any_that_is_said():
    tasks.add.delay(1, 2)
    assert run("list") == (0, "no dead letters\n", "")
    assert listed() == []


def test_a_line_for_each_the_newest_first(failed):
    first, second = failed(tasks.fail, ("one",), ("two",))
    _, told, _ = run("list")
    head, *lines = told.splitlines()
    assert head.split() == ["id", "task", "type", "died", "runs", "error"]
    assert [line.split()[0] for line in lines] == [second.id, first.id]
    assert "tests.testapp.tasks.fail  tests.testapp.tasks.Trouble" in lines[0]
    assert lines[0].endswith("Trouble: ('two', 1)")
    assert lines[0].index("tests.testapp.tasks.fail") == head.index("task")


def test_as_json_there_is_the_same_and_nothing_of_the_arguments(failed):
    (future,) = failed(tasks.fail, ("hunter2",))
    (letter,) = listed()
    assert (letter["id"], letter["task"], letter["type"]) == (future.id, tasks.fail.name, TROUBLE)
    assert (letter["queue"], letter["number"], letter["attempt"]) == ("default", future._call.number, 1)
    assert "payload" not in letter


def test_filters_choose(failed):
    failed(tasks.fail, ("one",), ("two",))
    failed(tasks.add, (1, "x"))
    failed(tasks.mail, ())
    assert len(listed()) == 4
    assert {letter["task"] for letter in listed("--task", tasks.add.name)} == {tasks.add.name}
    assert len(listed("--type", "Trouble")) == len(listed("--type", TROUBLE)) == 2
    assert len(listed("--type", "TypeError")) == 2
    assert listed("--type", "rouble") == []
    assert [letter["queue"] for letter in listed("--queue", "mail")] == ["mail"]
    assert len(listed("--queue", "mail", "--queue", "default", "--type", "TypeError")) == 2


def test_what_died_since(failed):
    failed(tasks.fail, ("old",), ("new",))
    old = CallQueue.objects.order_by("pk").first()
    died = (timezone.now() - timedelta(days=2)).isoformat()
    CallQueue.objects.filter(pk=old.pk).update(
        errors=[{"at": died, "type": None, "error": "", "consumer": 1}]
    )
    assert [len(listed("--since", since)) for since in ("1h", "36h", "3d", "2020-01-01", "2999-01-01")] == [
        1,
        1,
        2,
        2,
        0,
    ]


def test_lost_and_refused_calls_can_be_asked_for(by_hand):
    tasks.add.using(max_deliveries=1).delay(1, 2)
    by_hand.claim()
    by_hand.tables["default"].reclaim([7])
    tasks.add.delay(1, 2)
    CallQueue.objects.filter(state="ready").update(task=tasks.echo.name)
    by_hand.work()
    assert [letter["task"] for letter in listed("--type", "lost")] == [tasks.add.name]
    (refused,) = listed("--type", "refused")
    assert (refused["task"], refused["type"]) == (
        tasks.echo.name,
        "django_tpq.futures.calls.BadSignature",
    )
    assert refused["error"].startswith("refused: ")
    assert [listed("--type", kind) for kind in ("BadSignature", refused["type"])] == [[refused]] * 2


def test_a_limit_is_said(failed):
    failed(tasks.fail, *[("x",)] * 5)
    _, told, _ = run("list", "--limit", "2")
    assert told.endswith("(the newest 2; --limit shows more)\n")
    assert len(told.splitlines()) == 4


def test_a_list_reads_no_payloads_and_one_statement_a_queue(failed, django_assert_num_queries):
    failed(tasks.fail, *[("x",)] * 5)
    with django_assert_num_queries(2) as queries:
        listed()
    assert not any("payload" in query["sql"] for query in queries.captured_queries)


def test_a_terminal_gets_lines_as_wide_as_it_is(failed):
    from django_tpq.futures.letters import table

    failed(tasks.fail, ("x" * 300,))
    assert max(len(line) for line in table(listed(), 80)) == 80
    assert max(len(line) for line in table(listed(), None)) > 300


# show -----------------------------------------------------------------------------------------------------


def test_all_runs_are_shown_with_their_tracebacks_and_the_arguments(by_hand):
    future = tasks.stumble.delay(9)
    for _ in range(3):
        by_hand.work()
    code, told, _ = run("show", future.id)
    assert code == 0
    assert told.startswith(f"{future.id} of tests.testapp.tasks.stumble\n")
    assert "  arguments (9)\n" in told
    assert "  attempt 3 of 3, 0 of 3 deliveries lost\n" in told
    for number in (1, 2, 3):
        assert f"\nrun {number}: " in told
        assert f"Trouble: ('attempt', {number})" in told
    assert told.count("Traceback (most recent call last)") == 3


def test_secrets_are_not_shown(failed):
    made = task(secret=("password",))(login)
    failed(made, ("ada", "hunter2"))
    future = CallId("default", CallQueue.objects.get().pk, CallQueue.objects.get().token)
    for arguments in (("show", str(future)), ("show", "--json", str(future)), ("list",), ("list", "--json")):
        assert "hunter2" not in run(*arguments)[1]
    assert "('ada', ••••)" in run("show", str(future))[1]


def test_it_can_be_shown_as_json(failed):
    (future,) = failed(tasks.fail, ("text",))
    (letter,) = json.loads(run("show", "--json", future.id)[1])
    assert (letter["arguments"], letter["attempts"][0]["type"]) == ("('text')", TROUBLE)


def test_a_rows_number_is_enough_where_there_is_one_queue(failed):
    (future,) = failed(tasks.fail, ("text",))
    number = str(future._call.number)
    assert future.id in run("show", "--queue", "default", number)[1]
    with pytest.raises(CommandError, match=f"{number} may be in any of default, mail: name one by --queue"):
        run("show", number)


def test_what_is_no_dead_letter_is_said_and_is_an_error(failed):
    (future,) = failed(tasks.fail, ("text",))
    living = tasks.add.delay(1, 2)
    code, told, wrong = run("show", future.id, living.id)
    assert code == 1
    assert future.id in told
    assert wrong == f"{living.id} is no dead letter here: it runs again, or is gone\n"


def test_whoever_guesses_a_number_but_not_the_token_sees_nothing(failed):
    (future,) = failed(tasks.fail, ("text",))
    guessed = CallId("default", future._call.number, "x" * 22)
    assert run("show", str(guessed))[0] == 1


# Queues of messages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["testapp.PlainQueue", "testapp.plainqueue"])
def test_messages_are_listed_shown_requeued_and_discarded_too(name):
    first, second = buried({"order": 7}, {"order": 8})
    letters = listed("--queue", name)
    assert [letter["id"] for letter in letters] == [str(second), str(first)]
    assert [letter["error"] for letter in letters] == ["nobody wants it"] * 2
    _, told, _ = run("show", "--queue", name, str(first))
    assert "  body {'order': 7}\n" in told
    assert "on a lease\n  nobody wants it\n" in told
    assert run("requeue", "--queue", name, str(first))[0] == 0
    assert PlainQueue.objects.dequeue() == {"order": 7}
    assert run("discard", "--queue", name, "--all", "--no-input")[0] == 0
    assert not PlainQueue.objects.exists()


def test_a_call_queue_may_be_named_by_its_model(failed):
    failed(tasks.mail, ())
    (letter,) = listed("--queue", "testapp.MailQueue")
    assert (letter["queue"], letter["id"].split(":")[0]) == ("mail", "mail")
    assert MailQueue.objects.count("dead") == 1


# What is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["requeue"], "name dead letters by their ids, or by --task"),
        (["discard"], "name dead letters by their ids"),
        (["requeue", "--all", "--queue", "default", "7"], "name dead letters by their ids, or by"),
        (["list", "--queue", "nothing"], "there is no queue 'nothing': TPQ_QUEUES has default, mail"),
        (["list", "--queue", "auth.User"], "there is no queue 'auth.User'"),
        (
            ["list", "--queue", "testapp.PlainQueue", "--task", "x"],
            "is a queue of messages: they have no task",
        ),
        (["list", "--database", "nowhere"], "nowhere"),
        (["list", "--since", "yesterday"], "'yesterday' is no moment: write 2026-11-29"),
        (["list", "--limit", "0"], "must be a whole number from 1, not '0'"),
        (["requeue", "--delay", "-1", "x"], "must be seconds"),
        (["show", "a:b"], "'a:b' is not the id of a call"),
        (
            ["show", "--queue", "mail", f"default:7:{'x' * 22}"],
            "is of the queue 'default', which is not among mail",
        ),
        ([], "ACTION"),
    ],
)
def test_what_can_not_be_meant_is_refused_in_one_line(arguments, said):
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["2026-11-29", "2026-11-29T10:30", "2026-11-29 10:30:00+02:00", "90m", "2w"])
def test_moments_have_a_time_zone(text):
    assert timezone.is_aware(moment(text))


@pytest.mark.parametrize("text", ["", "3", "3y", "-3d", "2026-13-01", "now"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r"no moment|month must be"):
        moment(text)


def test_its_help_says_what_there_is():
    for arguments, words in (
        ([], "list show requeue discard"),
        (["list"], "--queue --database --task --type --since --limit --json"),
        (["show"], "--queue --database --json"),
        (["requeue"], "--queue --database --task --type --since --all --no-input --delay"),
        (["discard"], "--queue --database --task --type --since --all --no-input"),
    ):
        command = [sys.executable, "-m", "django", "deadletters", *arguments, "--help"]
        told = subprocess.run(
            command, env=os.environ | environment(), capture_output=True, text=True, check=True
        )
        assert [word for word in words.split() if word not in told.stdout] == []
