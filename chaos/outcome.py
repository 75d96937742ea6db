"""What a trial has shown."""

from typing import NamedTuple

from chaos.checker import Verdict
from chaos.scenario import Scenario

__all__ = ["Outcome"]


class Outcome(NamedTuple):
    """The figures of one trial."""

    scenario: Scenario
    calls: int
    """Calls and messages that were acknowledged."""
    faults: int
    verdict: Verdict
    outage: float
    """The longest time without an acknowledged commit, in seconds."""
    seconds: float
