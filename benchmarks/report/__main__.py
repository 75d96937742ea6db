"""`python -m benchmarks.report FOLDER`: the report of the figures that are there."""

import argparse
from pathlib import Path

from benchmarks.journal import FILE, read
from benchmarks.report import write


def main() -> None:
    """Write the report anew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("folder", type=Path, help=f"where {FILE} is")
    folder = parser.parse_args().folder
    if not (lines := read(folder / FILE)):
        parser.error(f"there is no {FILE} in {folder}")
    write(folder, lines)


if __name__ == "__main__":
    main()
