"""Whether the transaction that made some calls is open, committed or rolled back, as far as it can be told here."""

from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from tpq import session

__all__ = ["Unborn", "is_of_a_testcase", "let_go", "ran_inside", "unborn", "unborn_of"]

_by_hand: WeakKeyDictionary[Any, list["_ByHand"]] = WeakKeyDictionary()
"""Of each connection: its open transaction by hand, as the unique calls know it that were made there."""


class Unborn:
    """The `atomic` block that made some calls."""

    def __init__(self, connection: Any, token: str | None = None) -> None:
        self._connection = connection
        self.token = token
        """That of the call with a unique key that was made; None: others were."""
        self.is_committed = False
        self.is_run_inside = False
        """Whether calls were run in this very transaction, so that they may have ended although it is open."""
        self._watch()

    def _watch(self) -> None:
        transaction.on_commit(self._committed, using=self._connection.alias)

    def _committed(self) -> None:
        self.is_committed = True

    @property
    def is_pending(self) -> bool:
        """Whether the transaction, or the savepoint, is still open."""
        return any(entry[1] == self._committed for entry in list(self._connection.run_on_commit))

    @property
    def is_here(self) -> bool:
        """Whether it is this very thread's transaction."""
        return connections[self._connection.alias] is self._connection


class _ByHand(Unborn):
    """A transaction with autocommit off, where Django has no hooks: the server knows what became of it."""

    def _watch(self) -> None:
        self._number = session.transaction(self._connection.cursor)
        if self.token is not None:
            others = _by_hand.get(self._connection, ())
            _by_hand[self._connection] = [*(each for each in others if each._number == self._number), self]

    @property
    def is_pending(self) -> bool:
        """Whether the transaction is still open."""
        return session.transaction_is_open(self._number, connections[self._connection.alias].cursor)


def unborn(connection: BaseDatabaseWrapper, token: str | None = None) -> Unborn | None:
    """What a future knows of the caller's open transaction; None outside of one.

    Args:
        token: of the call that was made, if another caller may be given it by its unique key.
    """
    if connection.in_atomic_block:
        return Unborn(connection, token)
    return None if connection.get_autocommit() else _ByHand(connection, token)


def unborn_of(connection: BaseDatabaseWrapper, token: str) -> Unborn | None:
    """The open transaction that made this call with a unique key; None: it is not the one that is open here."""
    makers = [*_makers(connection), *_by_hand.get(connection, ())]
    return next((maker for maker in makers if maker.token == token and maker.is_pending), None)


def _makers(connection: BaseDatabaseWrapper) -> list[Unborn]:
    hooks = (getattr(hook, "__self__", None) for _, hook, *_ in connection.run_on_commit)
    return [maker for maker in hooks if isinstance(maker, Unborn)]


def ran_inside(connection: BaseDatabaseWrapper) -> None:
    """Calls were run in the transaction that is open here: those that it has made may have ended."""
    for maker in _makers(connection):
        maker.is_run_inside = True


def is_of_a_testcase(wrapper: BaseDatabaseWrapper) -> bool:
    """Whether the transaction that is open is a TestCase's, which is never committed."""
    return any(getattr(block, "_from_testcase", False) for block in wrapper.atomic_blocks)


def let_go(alias: str) -> None:
    """Do not pin a database connection while waiting long, unless something is open on it that would be lost."""
    wrapper = connections[alias]
    is_idle = wrapper.connection is not None and not wrapper.in_atomic_block and wrapper.get_autocommit()
    if is_idle and not _holds(wrapper):
        wrapper.close()


def _holds(wrapper: Any) -> bool:
    try:
        return session.holds(wrapper.cursor)
    except DatabaseError:  # it is broken
        return False
