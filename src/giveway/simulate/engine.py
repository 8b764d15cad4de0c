"""Runs a scenario under a policy, on the machine that the scenario needs."""

from __future__ import annotations

from giveway.sched.policies import Policy
from giveway.simulate.beside import SideBySide
from giveway.simulate.machine import Run
from giveway.simulate.record import Record
from giveway.simulate.scenario import Scenario
from giveway.simulate.spend import NewController, Spending

__all__ = ["Run", "run"]


def run(
    scenario: Scenario,
    policy: Policy | None,
    record: Record | None = None,
    slack: NewController | None = None,
) -> Run:
    """Simulates a scenario under a policy. Without a policy, each task runs alone on a device of
    its own, up to 20 copies of each program.

    Deterministic: the same scenario and policy give the same result.

    Args:
        slack: makes the controller of a task that tolerates a slowdown; None: no task spends it.
    """
    machine = Spending if scenario.model.beside is None else SideBySide
    return machine(scenario, policy, record, slack).run()
