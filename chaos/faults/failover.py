"""A primary that is lost: the standby takes its place."""

import time

from chaos import cluster
from chaos.arena import Arena
from chaos.scenario import Scenario

__all__ = ["SCENARIOS"]


def crash(arena: Arena) -> None:
    """Patroni, two nodes, synchronous: kill -9 of the primary's PostgreSQL; the standby takes over."""
    arena.pause(3)
    with arena.fault("the primary's PostgreSQL is killed"):
        before = arena.server.primary
        before.kill_postgresql()
        _wait_for_another(arena, before)
    arena.pause(5)


def lose_a_node(arena: Arena) -> None:
    """The same with Patroni killed, too: the machine is gone, and comes back 30 s later."""
    arena.pause(3)
    with arena.fault("the primary's machine is lost"):
        before = arena.server.primary
        before.kill()
        _wait_for_another(arena, before)
    arena.pause(5)
    before.start()
    arena.pause(5)


def _wait_for_another(arena: Arena, before: cluster.Node) -> None:
    deadline = time.monotonic() + 60
    while not any(node is not before and node.role == "primary" for node in arena.server.nodes):
        if time.monotonic() > deadline:
            raise TimeoutError("no other node took over")
        time.sleep(0.1)


SCENARIOS = tuple(
    Scenario(
        name=name,
        about=" ".join((inject.__doc__ or "").split()),
        inject=inject,
        hindrance=cluster.hindrance,
        is_replicated=True,
    )
    for name, inject in (("failover", crash), ("node-lost", lose_a_node))
)
