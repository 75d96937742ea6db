"""The command line of `python -m benchmarks`."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.places import ROOT

__all__ = ["HOME", "Configs", "Options", "chosen_peers", "chosen_tests", "options"]

HOME = ROOT / "docs" / "benchmarks"
"""Where the report of the project is."""

Configs = Mapping[str, Collection[str]]
"""The configurations of each system that is known."""


class Options(NamedTuple):
    """What is to be measured, and where it is written."""

    quick: bool
    repeats: int
    tests: list[str]
    peers: list[tuple[str, str]]
    """System and configuration."""
    out: Path | None
    """None: nowhere."""
    resume: bool


def options(arguments: Sequence[str] | None, tests: Collection[str], known: Configs) -> Options:
    """What was asked for; argparse ends the process when that makes no sense."""
    parser = _parser(tests, known)
    asked = parser.parse_args(arguments)
    try:
        return Options(
            quick=asked.quick,
            repeats=asked.repeats,
            tests=chosen_tests(asked.tests, tests),
            peers=chosen_peers(asked.peers or ("none" if asked.quick else "all"), known),
            out=asked.out or (None if asked.quick else HOME),
            resume=asked.resume,
        )
    except ValueError as error:
        parser.error(str(error))


def _parser(tests: Collection[str], known: Configs) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure ours, bare SQL and other systems, in turn."
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer tasks, for daily work; writes nothing without --out")
    add("--repeats", type=_positive, default=3, metavar="N", help="rounds (default: 3)")
    add("--tests", default="all", help=f"numbers, with commas between: {','.join(tests)} (default: all)")
    add("--peers", help=f"all, none, or names such as {next(iter(known), 'name')} or "
        f"{next(iter(known), 'name')}:best, with commas between (default: all; with --quick: none)")  # fmt: skip
    add("--out", type=Path, metavar="FOLDER", help="where figures and report go (default: docs/benchmarks)")
    add("--resume", action="store_true", help="go on with the run in that folder")
    return parser


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def chosen_tests(text: str, known: Collection[str]) -> list[str]:
    """Numbers of tests, in order.

    Raises:
        ValueError: there is no such test.
    """
    asked = set(known) if text == "all" else set(filter(None, text.split(",")))
    if unknown := asked - set(known):
        raise ValueError(f"no such test: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return sorted(asked, key=int)


def chosen_peers(text: str, known: Configs) -> list[tuple[str, str]]:
    """Systems and their configurations: `all`, `none`, or `name` and `name:config` with commas between.

    Raises:
        ValueError: there is no such system, or it has no such configuration.
    """
    if text == "none":
        return []
    asked = list(known) if text == "all" else list(filter(None, text.split(",")))
    return list(dict.fromkeys(pair for one in asked for pair in _pairs(one, known)))


def _pairs(text: str, known: Configs) -> list[tuple[str, str]]:
    name, _, config = text.partition(":")
    if name not in known:
        raise ValueError(f"no such system: {name}; there are {', '.join(known)}")
    if config and config not in known[name]:
        raise ValueError(f"{name} has no configuration {config}; it has {', '.join(known[name])}")
    return [(name, one) for one in ([config] if config else known[name])]
