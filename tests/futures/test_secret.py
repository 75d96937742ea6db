"""Arguments that are never shown."""

import inspect

import pytest

from django_tpq.futures import arguments, registry, task
from django_tpq.futures.calls import pack
from django_tpq.futures.masking import MASK, named, shown
from django_tpq.futures.models import CallQueue
from tests.testapp import tasks

HERE = __name__
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """The tasks of these tests are nobody else's."""
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def login(user, password, *rest, attempt=1, **more):
    """A function with everything."""


def plain(user, password, attempt=1):
    """One with a fixed number of parameters."""


class Proud:
    """Its repr is full of secrets, or fails."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        if self.text is None:
            raise ZeroDivisionError(SECRET)
        return self.text

    def __reduce__(self):
        raise ValueError(f"can not write {self.text}")


def text(function, secret, *args, **kwargs):
    return shown(list(named(inspect.signature(function), secret, args, kwargs)))


@pytest.mark.parametrize(
    ("secret", "args", "kwargs", "expected"),
    [
        ((), ("ada", SECRET), {}, "'ada', 'hunter2'"),
        (("password",), ("ada", SECRET), {}, f"'ada', {MASK}"),
        (("password",), ("ada",), {"password": SECRET}, f"'ada', password={MASK}"),
        (("password",), (), {"password": SECRET, "user": "ada"}, f"password={MASK}, user='ada'"),
        (("rest",), ("ada", "x", SECRET, SECRET), {}, f"'ada', 'x', {MASK}, {MASK}"),
        (("more",), ("ada", "x"), {"token": SECRET, "attempt": 2}, f"'ada', 'x', token={MASK}, attempt=2"),
        (("token",), ("ada", "x"), {"token": SECRET, "other": 2}, f"'ada', 'x', token={MASK}, other=2"),
        (("attempt",), ("ada", "x"), {"attempt": SECRET}, f"'ada', 'x', attempt={MASK}"),
        (("more",), ("ada", "x"), {"more": SECRET}, f"'ada', 'x', more={MASK}"),
    ],
)
def test_secrets_are_masked_wherever_they_stand(secret, args, kwargs, expected):
    assert text(login, secret, *args, **kwargs) == expected


@pytest.mark.parametrize("args", [(SECRET,), ("ada", "x", 1, SECRET)])
def test_arguments_that_do_not_fit_are_all_masked_if_one_may_be_secret(args):
    assert text(plain, ("password",), *args) == ", ".join([MASK] * len(args))
    assert SECRET in text(plain, (), *args)


def test_by_name_it_is_known_whose_they_are_though_they_do_not_fit():
    assert text(plain, ("password",), attempt=2, password=SECRET) == f"attempt=2, password={MASK}"


def test_a_name_that_is_no_parameter_any_more_may_have_been_a_secret():
    assert text(plain, ("password",), user="ada", passphrase=SECRET) == f"user='ada', passphrase={MASK}"


def test_long_arguments_are_shortened_and_a_repr_that_raises_shows_nothing():
    assert len(text(login, (), "x" * 10_000, list(range(1000)), dict.fromkeys(range(99), "y" * 999))) < 5000
    assert SECRET not in text(login, (), Proud(None))


# Calls ----------------------------------------------------------------------------------------------------


def queued(made, *args, **kwargs):
    made.delay(*args, **kwargs)
    return arguments.seen("default", CallQueue.objects.get())


@pytest.mark.parametrize("how", ["pickle", "json"])
def test_a_queued_calls_arguments_can_be_seen_but_not_its_secrets(transactional_db, how):
    made = task(secret=("password",), codec=how)(login)
    assert queued(made, "ada", SECRET, attempt=3) == f"('ada', {MASK}, attempt=3)"


def test_of_a_task_that_is_unknown_here_nothing_is_shown_but_names(transactional_db):
    made = task(secret=("password",))(login)
    made.delay("ada", password=SECRET)
    del registry._tasks[made.name]
    seen = arguments.seen("default", CallQueue.objects.get())
    assert seen.startswith(f"({MASK}, password={MASK}): the task is unknown here")


def test_what_was_signed_by_nobody_is_not_read(transactional_db):
    tasks.add.delay(1, 2)
    call = CallQueue.objects.get()
    call.payload = bytes(call.payload)[:-1] + b"x"
    assert arguments.seen("default", call) == "(not read: the signature is wrong)"


def test_what_can_not_be_read_is_said_by_the_type_of_the_error_alone(transactional_db):
    tasks.add.delay(1, 2)
    call = CallQueue.objects.get()

    class Broken:
        name = "pickle"

        def dumps(self, value):
            return b"not a pickle " + SECRET.encode()

    call.payload = pack("default", call.token, call.task, Broken(), None)
    seen = arguments.seen("default", call)
    assert seen == "(can not be read: UnpicklingError)"


def test_where_pickle_is_refused_it_is_not_read_here_either(transactional_db, settings):
    tasks.echo.delay(Wanted())
    settings.TPQ_CODEC = "restricted"
    assert arguments.seen("default", CallQueue.objects.get()) == "(can not be read: RefusedCodec)"
    assert not Wanted.were_read


class Wanted:
    """Notes that it was read."""

    were_read: list = []

    def __setstate__(self, state):
        self.were_read.append(state)


# Errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["pickle", "json"])
def test_an_argument_that_can_not_be_written_is_named_but_not_told_about(transactional_db, how):
    made = task(secret=("password",), codec=how)(login)
    for call in (lambda: made.delay("ada", Proud(SECRET)), lambda: made.delay("ada", password=Proud(SECRET))):
        with pytest.raises(TypeError, match=r"argument (2|'password') \(a Proud\)") as caught:
            call()
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_an_argument_that_is_no_secret_is_told_about(transactional_db):
    made = task(secret=("password",))(login)
    with pytest.raises(
        TypeError, match=r"argument 1 \(a Proud\) can not be written as pickle: can not write me"
    ):
        made.delay(Proud("me"), SECRET)


# The option -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["password", ["password"], ("",), (7,), None])
def test_what_is_no_tuple_of_names_is_refused(secret):
    with pytest.raises(TypeError, match=rf"task {HERE}\.plain: secret must be a tuple of parameters' names"):
        task(secret=secret)(plain)


def test_a_name_that_is_no_parameter_is_refused_with_those_there_are():
    with pytest.raises(
        ValueError, match=r"task .*plain: secret names pin_code, .* \(there are: user, password, attempt\)"
    ):
        task(secret=("pin_code",))(plain)


def test_where_any_keyword_is_taken_any_name_may_be_secret():
    assert task(secret=("anything",))(login).options.secret == ("anything",)


@pytest.mark.parametrize(
    "unique", ["{password}", "of {user}: {password[0]}", "{password.x!r}", "{user:{password}}"]
)
def test_a_key_that_would_hold_a_secret_is_refused(unique):
    with pytest.raises(ValueError, match="names password, which is secret"):
        task(secret=("password",), unique=unique)(plain)
    with pytest.raises(ValueError, match="names password, which is secret"):
        task(secret=("password",))(plain).using(unique=unique)


@pytest.mark.parametrize("unique", ["of {user}", "args", "{{password}}", lambda *a, **k: "key"])
def test_a_key_without_one_is_fine(unique):
    assert task(secret=("password",), unique=unique)(plain).options.unique == unique


def test_it_belongs_to_the_task_and_to_no_single_call(transactional_db):
    with pytest.raises(TypeError, match="secret of a single call can not be carried"):
        tasks.add.using(secret=("a",)).delay(1, 2)
    with pytest.raises(TypeError, match="secret of a single call can not be carried"):
        task(secret=("password",))(plain).using(secret=()).delay("ada", SECRET)
