"""All scenarios, by name."""

from chaos.faults import executors, failover, postgresql, surroundings, tasks
from chaos.scenario import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for module in (executors, postgresql, tasks, surroundings, failover)
    for scenario in module.SCENARIOS
}
