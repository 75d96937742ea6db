"""What a trial is made of."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from chaos.arena import Arena
from chaos.server import OwnServer

__all__ = ["Scenario", "nothing_hinders", "plain"]

World = Callable[[OwnServer], AbstractContextManager[Mapping[str, str]]]
"""What is built around a server for a trial; what its processes are told of it."""


@contextlib.contextmanager
def plain(server: OwnServer) -> Iterator[Mapping[str, str]]:
    """Nothing but the server."""
    yield {}


def nothing_hinders() -> str | None:
    """It can be made everywhere."""
    return None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A fault under load."""

    name: str
    about: str
    """What is done, in a line."""
    inject: Callable[[Arena], None]
    """Does it; when it returns, all is well again."""
    hindrance: Callable[[], str | None] = nothing_hinders
    """Why this machine can not make it; None: it can."""
    world: World = plain
    evils: Sequence[str] = ()
    """How calls go wrong."""
    executors: int = 2
    recovers_within: float | None = None
    """Seconds in which a call runs again that was cut short."""
    loses_results: bool = False
    """Whether results may be lost: the cache that they are in is what suffers."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Settings of the server; with any it gets one of its own."""
    small_disk: int = 0
    """MB of the disk that its server gets for itself; 0: it needs none."""
    is_replicated: bool = False
    """Whether its server is a pair of nodes under Patroni."""
    is_short: bool = False
    """Whether it is one of those in the test suite."""
