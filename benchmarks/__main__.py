"""`python -m benchmarks`: measure, in turn, and show the medians beside what they are held against."""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from benchmarks.ours import Ours
from benchmarks.server import database
from benchmarks.suite import TESTS, Bar, bars

Samples = dict[tuple[str, str], list[float]]


def main() -> int:
    """Measure; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tasks, for daily work")
    parser.add_argument(
        "--tests", default=",".join(TESTS), help="numbers, with commas between (default: all)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    options = parser.parse_args()
    samples: Samples = defaultdict(list)
    with database("tpq_bench") as fresh, tempfile.TemporaryDirectory() as folder:
        ours = Ours(fresh, Path(folder))
        for number in range(options.repeats):
            for test in options.tests.split(","):
                started = time.monotonic()
                for name, value in TESTS[test](ours, options.quick).items():
                    samples[test, name].append(value)
                print(f"round {number + 1}, test {test}: {time.monotonic() - started:.1f} s", file=sys.stderr)
    for (test, name), values in samples.items():
        print(json.dumps({"test": test, "figure": name, "values": values}))
    print(*table(samples), sep="\n")
    return 0


def table(samples: Samples) -> list[str]:
    """The figures with their bars, as Markdown."""
    medians = {key: median(values) for key, values in samples.items()}
    tasks = [v for (test, name), v in medians.items() if name.startswith("tasks/s, ") and "threads" in name]
    if tasks:
        medians["1", "tasks/s, best"] = max(tasks)
    lines = ["| test | figure | median (range) | of | ratio | bar |", "| --- | --- | --- | --- | --- | --- |"]
    held = {(bar.test, bar.figure): bar for bar in bars()}
    for (test, name), value in sorted(medians.items()):
        lines.append(_line(test, name, value, samples.get((test, name), [value]), held, medians))
    return lines


def _line(
    test: str,
    name: str,
    value: float,
    values: list[float],
    held: dict[tuple[str, str], Bar],
    medians: dict[tuple[str, str], float],
) -> str:
    shown = f"| {test} | {name} | {_short(value)} ({_short(min(values))} to {_short(max(values))}) |"
    bar = held.get((test, name))
    if bar is None or (bar.against and (test, bar.against) not in medians):
        return f"{shown} | | |"
    ratio = value / medians[test, bar.against] if bar.against else value
    good = (bar.least is None or ratio >= bar.least) and (bar.most is None or ratio <= bar.most)
    limit = f"≥ {bar.least:g}" if bar.least is not None else f"≤ {bar.most:g}"
    return f"{shown} {bar.against} | {ratio:.2f} | {'' if good else '✗ '}{limit} |"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
