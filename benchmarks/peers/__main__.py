"""`python -m benchmarks.peers NAME CONFIG drive|work`, inside a system's own virtual environment.

`work` is the worker. `drive` reads one command a line from standard input, `["many", 1000]`, and answers each with
one line of JSON: `{"answer": …}` or `{"error": …}`.
"""

import importlib
import json
import os
import sys
import traceback
from typing import TextIO

from benchmarks.driver import Driver
from benchmarks.peers.peer import Peer, Place

__all__ = ["load"]


def load(name: str) -> type[Peer]:
    """The class of a system, by the name of its file."""
    module = importlib.import_module(f"benchmarks.peers.{name}")
    return next(c for c in vars(module).values() if _is_peer(c) and c.__module__ == module.__name__)


def _is_peer(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Peer)


def main() -> None:
    """Be one side of a system."""
    name, config, side = sys.argv[1:]
    peer = load(name)(Place(*json.loads(os.environ["BENCH_PLACE"])), config)
    if side == "work":
        peer.work()
    else:
        _drive(peer)


def _drive(peer: Peer) -> None:
    with os.fdopen(os.dup(1), "w") as answers:  # what systems print is not to be taken for an answer
        os.dup2(2, 1)
        peer.set_up()
        driver = Driver(peer, os.environ["BENCH_MARKS"])
        _say(answers, {"answer": "ready"})
        for line in sys.stdin:
            verb, *values = json.loads(line)
            try:
                _say(answers, {"answer": getattr(driver, verb)(*values)})
            except Exception as error:  # noqa: BLE001 - told to the harness, which goes on without the figure
                traceback.print_exc()
                _say(answers, {"error": f"{type(error).__name__}: {error}"})


def _say(answers: TextIO, what: object) -> None:
    print(json.dumps(what), file=answers, flush=True)


if __name__ == "__main__":
    main()
