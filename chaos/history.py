"""The ledger, told call by call: who asked, whether it was committed, what ran when, and which faults there were."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from chaos.ledger import Entry, Kind

__all__ = ["Call", "Fault", "History", "Run", "history"]

NEVER = float("inf")


class Fault(NamedTuple):
    """Something that was done to the system."""

    name: str
    begin: float
    end: float
    pids: frozenset[int]
    """The processes that it touched; empty: everybody."""
    is_deadly: bool
    """Whether they were dead from its begin on."""

    def touches(self, pid: int) -> bool:
        """Whether it touched a process."""
        return not self.pids or pid in self.pids


@dataclass
class Run:
    """One run of a call."""

    name: str
    pid: int
    started: float
    ended: float | None = None
    refused: bool = False
    """Whether it was told that its lease is lost."""

    @property
    def attempt(self) -> int:
        """Which of its call's: 1 and up, where its name says so."""
        return int(self.name.partition("#")[2] or 1)

    def __str__(self) -> str:
        end = "refused" if self.refused else f"to {self.ended:.2f}" if self.ended else "without end"
        return f"by {self.pid} from {self.started:.2f} {end}"


@dataclass
class Call:
    """What is known of one call or message."""

    number: int
    asked: Entry | None = None
    acknowledged: float | None = None
    rolled_back: bool = False
    runs: list[Run] = field(default_factory=list)
    """In the order of their starts."""
    results: list[str] = field(default_factory=list)
    """The runs that results came from."""
    without_result: str | None = None
    """Why somebody waited in vain."""

    @property
    def kind(self) -> str:
        """What its producer said that it is."""
        return str(self.asked.detail["kind"]) if self.asked else "never asked for"

    @property
    def attempts(self) -> int:
        """How many its producer said that it takes."""
        return int(self.asked.detail.get("attempts", 1)) if self.asked else 1

    def __str__(self) -> str:
        return f"{self.kind} {self.number}: {', '.join(map(str, self.runs)) or 'no run'}"


@dataclass
class History:
    """All calls, and all faults."""

    calls: dict[int, Call]
    faults: list[Fault]

    def death_of(self, pid: int) -> float:
        """When a process was killed; infinity: it was not."""
        return min((f.begin for f in self.faults if f.is_deadly and pid in f.pids), default=NEVER)


def history(entries: Iterable[Entry]) -> History:
    """What the entries, in order, tell."""
    told = History({}, [])
    runs: dict[str, Run] = {}
    open_faults: dict[str, Entry] = {}
    for entry in entries:
        match entry.kind:
            case Kind.FAULT:
                open_faults[entry.detail["id"]] = entry
            case Kind.HEALED:
                told.faults.append(_fault(open_faults.pop(entry.detail), entry.moment))
            case _:
                _about_a_call(told.calls.setdefault(entry.number, Call(entry.number)), entry, runs)
    told.faults += [_fault(entry, NEVER) for entry in open_faults.values()]
    return told


def _fault(entry: Entry, end: float) -> Fault:
    about = entry.detail
    return Fault(about["name"], entry.moment, end, frozenset(about["pids"]), about["deadly"])


def _about_a_call(call: Call, entry: Entry, runs: dict[str, Run]) -> None:
    match entry.kind:
        case Kind.ASKED:
            call.asked = entry
        case Kind.ACKNOWLEDGED:
            call.acknowledged = entry.moment
        case Kind.ROLLED_BACK:
            call.rolled_back = True
        case Kind.STARTED:
            runs[entry.detail] = run = Run(entry.detail, entry.pid, entry.moment)
            call.runs.append(run)
        case Kind.ENDED:
            runs[entry.detail].ended = entry.moment
        case Kind.REFUSED:
            runs[entry.detail].refused = True
        case Kind.RESULT:
            call.results.append(entry.detail)
        case Kind.NO_RESULT:
            call.without_result = entry.detail
