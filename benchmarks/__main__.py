"""`python -m benchmarks`: measure, in turn, and show the medians beside what they are held against."""

import sys
import tempfile
from pathlib import Path

from benchmarks import contest, suite
from benchmarks.journal import FILE, Journal
from benchmarks.machine import head
from benchmarks.options import Options, options
from benchmarks.ours import Ours
from benchmarks.peers.__main__ import load
from benchmarks.report import summary, write
from benchmarks.rounds import Meter, run, steps
from benchmarks.server import database


def main() -> int:
    """Measure and report; the exit code is 0 whatever the figures are."""
    tests = sorted({**suite.TESTS, **contest.TESTS}, key=int)
    asked = options(None, tests, {name: load(name).configs for name in contest.NAMES})
    journal = Journal(asked.out / FILE if asked.out else None, resume=asked.resume)
    if any(line["quick"] != asked.quick for line in journal.lines if line["kind"] == "head"):
        sys.exit("the run that is there has another size: go on with --quick as it was begun")
    try:
        _measure(asked, journal)
    except KeyboardInterrupt:
        print("interrupted; --resume goes on from here" if asked.out else "interrupted", file=sys.stderr)
        return 130
    print(*summary(journal.lines), sep="\n")
    if asked.out:
        write(asked.out, journal.lines)
        print(f"written to {asked.out}", file=sys.stderr)
    return 0


def _measure(asked: Options, journal: Journal) -> None:
    todo = steps(asked.repeats, asked.tests, asked.peers)
    with database("tpq_bench") as fresh, tempfile.TemporaryDirectory() as folder:
        journal.add(head(fresh, asked.peers, quick=asked.quick))
        run(todo, journal, Meter(Ours(fresh, Path(folder)), quick=asked.quick))


if __name__ == "__main__":
    sys.exit(main())
