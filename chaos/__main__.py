"""`python -m chaos`: try scenarios, and say what they have shown."""

import argparse
import contextlib
import os
import platform
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from chaos import report
from chaos.cluster import Cluster, cluster
from chaos.faults import SCENARIOS
from chaos.outcome import Outcome
from chaos.project_setup import use
from chaos.scenario import Scenario
from chaos.server import OwnServer, own_server
from chaos.small_disk import small_disk

CONNECTIONS = "200"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try what was asked for; 1 if a promise was broken."""
    asked = _parser().parse_args(arguments)
    if asked.list:
        for scenario in SCENARIOS.values():
            print(f"{scenario.name:24} {scenario.about}")
        return 0
    seed = asked.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    logs = asked.logs or Path(tempfile.mkdtemp(prefix="chaos-"))
    outcomes, skipped, broken_off = [], {}, []
    with _servers() as server_for:
        for name in asked.scenarios or list(SCENARIOS):
            scenario = SCENARIOS[name]
            if reason := scenario.hindrance():
                skipped[name] = scenario, reason
                print(f"skip {name}: {reason}", flush=True)
                continue
            try:
                with server_for(scenario) as server:
                    outcomes.append(_try_out(scenario, server, logs / name, seed))
            except Exception as error:  # noqa: BLE001 - the other trials are worth their time all the same
                broken_off.append(name)
                print(f"FAIL {name}: broken off: {type(error).__name__}: {error}", flush=True)
            else:
                print(*report.line(outcomes[-1]), sep="\n", flush=True)
    if asked.write:
        report.write(asked.write, [_about(seed), "", *report.table(outcomes, skipped)])
    is_clean = not broken_off and all(outcome.verdict.is_clean for outcome in outcomes)
    if not is_clean:
        print(f"ledgers and logs are in {logs}; --seed {seed} makes the same faults again", file=sys.stderr)
    return 0 if is_clean else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chaos",
        description="Put executors, producers and consumers under load and faults, and check that nothing is "
        "lost, doubled or stranded. Exit code 1 if a promise was broken.",
    )
    add = parser.add_argument
    add("scenarios", nargs="*", type=_known, metavar="SCENARIO", help="which (default: all)")
    add("--list", action="store_true", help="say what there is, and end")
    add("--seed", help="of an earlier run, to make the same calls and faults again (default: a new one)")
    add("--logs", type=Path, metavar="FOLDER", help="where ledgers and logs go (default: a temporary folder)")
    add("--write", type=Path, metavar="FILE", help="put the table into this document, between its marks")
    return parser


def _known(name: str) -> str:
    if name not in SCENARIOS:
        raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(SCENARIOS)}")
    return name


@contextlib.contextmanager
def _servers() -> Iterator["ServerFor"]:
    with own_server(max_connections=CONNECTIONS) as shared:
        shared.start()
        yield ServerFor(shared)


class ServerFor:
    """Gives each scenario the shared server, or one of its own if it is to be another."""

    def __init__(self, shared: OwnServer) -> None:
        self._shared = shared

    @contextlib.contextmanager
    def __call__(self, scenario: Scenario) -> Iterator[OwnServer | Cluster]:
        """A server that is up, for the block."""
        if scenario.is_replicated:
            with cluster() as pair:
                yield pair
            return
        if not (scenario.options or scenario.small_disk):
            yield self._shared
            return
        with contextlib.ExitStack() as stack:
            where = stack.enter_context(small_disk(scenario.small_disk)) if scenario.small_disk else None
            server = stack.enter_context(
                own_server(where, **{"max_connections": CONNECTIONS, **scenario.options})
            )
            server.start()
            yield server


def _try_out(scenario: Scenario, server: OwnServer | Cluster, folder: Path, seed: str) -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    use(server)
    from chaos.trial import try_out

    return try_out(scenario, server, folder, seed)


def _about(seed: str) -> str:
    return f"Seed `{seed}`, {os.cpu_count()} cores, Python {platform.python_version()}."


if __name__ == "__main__":
    sys.exit(main())
