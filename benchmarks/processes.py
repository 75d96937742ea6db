"""What processes have used, as Linux counts it."""

import contextlib
import os
from pathlib import Path

__all__ = ["children", "cpu", "family", "memory"]


def children(pid: int) -> list[int]:
    """The pids of a process's children."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found += map(int, (thread / "children").read_text().split())
    return found


def family(pid: int) -> list[int]:
    """The pids of a process and of all below it."""
    return [pid] + [member for child in children(pid) for member in family(child)]


def cpu(pid: int, *, own: bool = False) -> float:
    """Seconds of CPU a process has used, with those of children that have ended (unless `own`); 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11 : 13 if own else 15])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """MB that a process has in memory, what it shares with others included (RSS)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Rss:")) / 1024
