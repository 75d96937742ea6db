"""`manage.py deadletters requeue` and `discard`."""

import subprocess
import sys

import pytest
from django.core.management import CommandError

from django_tpq.futures import Future
from django_tpq.futures.models import CallQueue
from tests.fixtures.process import environment
from tests.futures.deadletters import buried, run
from tests.testapp import tasks
from tests.testapp.models import PlainQueue

HERE = __name__
TROUBLE = "tests.testapp.tasks.Trouble"


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def answer(monkeypatch):
    """What is typed in when the command asks; the questions."""
    asked = []

    def answer(text):
        monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or text)
        return asked

    return answer


# requeue, discard -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "left"), [("requeue", ["dead", "ready"]), ("discard", ["dead"])])
def test_one_is_moved_by_its_id_without_a_question(failed, action, left):
    first, _ = failed(tasks.fail, ("one",), ("two",))
    assert run(action, first.id) == (
        0,
        f"1 dead letter(s) {action}{'d' if action[-1] == 'e' else 'ed'}\n",
        "",
    )
    assert sorted(CallQueue.objects.values_list("state", flat=True)) == left


def test_a_requeued_one_runs_again(failed, by_hand, monkeypatch):
    (future,) = failed(tasks.fail, ("text",))
    monkeypatch.setattr(tasks.fail, "function", lambda text: f"mended {text}")
    run("requeue", future.id)
    by_hand.work()
    assert Future.get(future.id).result() == "mended text"


def test_a_requeued_one_may_wait(failed):
    (future,) = failed(tasks.fail, ("text",))
    run("requeue", "--delay", "3600", future.id)
    assert CallQueue.objects.get().state == "waiting"


@pytest.mark.parametrize(
    ("chosen", "left"), [(["--all"], 0), (["--task", tasks.fail.name], 1), (["--type", "TypeError"], 2)]
)
def test_many_are_moved_by_filters_after_a_question(failed, answer, chosen, left):
    failed(tasks.fail, ("one",), ("two",))
    failed(tasks.add, (1, "x"))
    asked = answer("y")
    code, told, _ = run("requeue", *chosen)
    assert (code, told) == (0, f"{3 - left} dead letter(s) requeued\n")
    assert asked == [f"Requeue {3 - left} dead letter(s)? [y/N] "]
    assert CallQueue.objects.count("dead") == left


@pytest.mark.parametrize("said", ["", "n", "what?"])
def test_without_a_yes_nothing_is_done(failed, answer, said):
    failed(tasks.fail, ("one",))
    answer(said)
    with pytest.raises(CommandError, match="nothing was done"):
        run("discard", "--all")
    assert CallQueue.objects.count("dead") == 1


def test_where_nobody_can_be_asked_it_must_be_said():
    PlainQueue.objects.enqueue(1)
    command = [
        sys.executable,
        "-m",
        "django",
        "deadletters",
        "discard",
        "--all",
        "--queue",
        "testapp.PlainQueue",
    ]
    buried(2)
    done = subprocess.run(
        command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, PlainQueue.objects.count("dead")) == (1, 1)
    assert "nobody is there to ask: say --no-input" in done.stderr
    done = subprocess.run(
        [*command, "--no-input"], env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "1 dead letter(s) discarded\n"), done.stderr


def test_those_whose_key_is_taken_stay_and_that_is_an_error(failed):
    failed(tasks.fail, ("one",), ("two",))
    CallQueue.objects.filter(pk=CallQueue.objects.order_by("pk").first().pk).update(unique_key="k")
    tasks.add.delay(1, 2)
    CallQueue.objects.filter(state="ready").update(unique_key="k")
    code, told, wrong = run("requeue", "--all", "--no-input")
    assert (code, told) == (1, "1 dead letter(s) requeued\n")
    assert wrong == "1 stayed: another call or message has their unique key\n"


def test_what_has_moved_meanwhile_is_an_error_and_the_others_move(failed):
    first, second = failed(tasks.fail, ("one",), ("two",))
    run("discard", first.id)
    code, told, wrong = run("requeue", first.id, second.id)
    assert (code, told) == (1, "1 dead letter(s) requeued\n")
    assert first.id in wrong


def test_bulk_of_nothing_is_fine_and_asks_nobody(answer):
    asked = answer("n")
    assert run("requeue", "--all") == (0, "0 dead letter(s) requeued\n", "")
    assert asked == []
