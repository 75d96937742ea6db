"""All scenarios, by name."""

from chaos.faults import executors, failover, lanes, mixed, postgresql, surroundings, tasks, upgrade
from chaos.scenario import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for module in (executors, lanes, postgresql, tasks, surroundings, upgrade, failover, mixed)
    for scenario in module.SCENARIOS
}
