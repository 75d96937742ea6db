"""The place of a trial: a server, executors, and actors that keep them busy; and the faults' notes in the ledger."""

import contextlib
import itertools
import os
import random
import signal
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chaos.actors.names import END, STOP
from chaos.ledger import Kind, Ledger, read
from chaos.processes import Actor, Executor, descendants_of

__all__ = ["Arena"]

THREADS = 4
BUSY_LIMIT = 60.0
"""Seconds until the first call, on a busy machine."""
ENQUEUEING = ("producer", "asker", "flood")
ROLES = ("producer", "producer", "asker", "asker", "taker", "taker", "receiver", "leaser", "orderly")


class Arena:
    """One trial's.

    Args:
        server: an `OwnServer` or a `Cluster`, up and empty.
        folder: for the ledger and the logs.
        seed: what makes a run the same again.
        environment: what processes are told beside where the server is.
    """

    def __init__(self, server: Any, folder: Path, seed: str, environment: dict[str, str]) -> None:
        self.server, self.folder, self.seed = server, folder, seed
        self.random = random.Random(f"{seed}/faults")
        self.ledger = Ledger(folder)
        self.executors: list[Executor] = []
        self.actors: list[Actor] = []
        self.troubles: list[str] = []
        """What executors did that they should not."""
        self._logs = itertools.count(1)
        self._environment = {
            "DJANGO_SETTINGS_MODULE": "chaos.project.settings",
            "PYTHONWARNINGS": "ignore",
            "CHAOS_LEDGER": str(folder),
            **server.environment,
            **environment,
        }

    # Processes --------------------------------------------------------------------------------------------

    def start_executor(self, *arguments: str, **changes: str) -> Executor:
        """One more executor; it is ready."""
        started = Executor(
            self._log("executor"),
            *(arguments or (f"-t{THREADS}",)),
            environment=self._environment | changes,
        )
        self.executors.append(started)
        started.wait_until_ready()
        return started

    def start_actors(self, evils: Sequence[str] = (), roles: Sequence[str] = ROLES, **changes: str) -> None:
        """Those who keep it busy."""
        for index, role in enumerate(roles, start=len(self.actors)):
            evil = evils if role == "producer" else ()
            command = ("chaos.actors", role, str(index), self.seed, *evil)
            environment = self._environment | changes
            self.actors.append(Actor(self._log(role), *command, environment=environment))

    def wait_until_busy(self) -> None:
        """Until the first call was committed, and one runs: a fault that nobody feels shows nothing.

        Raises:
            TimeoutError: nothing happens.
        """
        deadline = time.monotonic() + BUSY_LIMIT
        while not self._is_busy():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no call was committed and begun; see the logs in {self.folder}")
            time.sleep(0.1)

    def _is_busy(self) -> bool:
        with contextlib.suppress(ValueError):  # a line is being written
            return {Kind.ACKNOWLEDGED, Kind.STARTED} <= {entry.kind for entry in read(self.folder)}
        return False

    def _log(self, name: str) -> Path:
        return self.folder / f"{next(self._logs):02}-{name}.log"

    def let_producers_end(self) -> None:
        """Tell producers and askers to end, and wait for them."""
        (self.folder / STOP).touch()
        for actor in self.actors:
            if any(role in actor.log.name for role in ENQUEUEING):
                actor.process.wait(120)

    def let_takers_end(self) -> None:
        """Tell those who take messages to end, and wait for them."""
        (self.folder / END).touch()
        for actor in self.actors:
            actor.process.wait(60)

    def kill_all(self) -> None:
        """Leave nothing behind."""
        for each in [*self.executors, *self.actors]:
            each.kill()

    # Faults -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def fault(self, name: str, pids: Iterable[int] = (), *, deadly: bool = False) -> Iterator[None]:
        """Note that a fault is there for the length of the block. No pids: it may touch everybody."""
        about = {"id": uuid.uuid4().hex, "name": name, "pids": list(pids), "deadly": deadly}
        self.ledger.note(Kind.FAULT, 0, about)
        try:
            yield
        finally:
            self.ledger.note(Kind.HEALED, 0, about["id"])

    def kill_process(self, pid: int, name: str = "SIGKILL of a process") -> None:
        """SIGKILL of one that runs calls; its workers, if it has any, die with it."""
        pids = [pid, *descendants_of(pid)]
        with self.fault(name, pids, deadly=True), contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def pause(self, least: float, most: float | None = None) -> None:
        """Wait, for a random time."""
        time.sleep(self.random.uniform(least, least if most is None else most))

    def an_executor(self) -> Executor:
        """A random one that lives."""
        return self.random.choice([executor for executor in self.executors if executor.is_alive])
