"""Scenarios for the tests of policies, and figures of their runs."""

from __future__ import annotations

from typing import Any

from giveway.sched.policies import registry
from giveway.sched.task import Attributes
from giveway.simulate.engine import Run, run
from giveway.simulate.scenario import MS, Model, Program, Scenario

EXACT = Model(gate_delay_ns=0, linger_ns=0, interrupt=True, max_wait_ns=0)
"""An ideal device, as in theory: a task whose gate closes stops at once."""
GPU = Model(max_wait_ns=0)
"""Launches that began end, 500 µs of them are in flight, decisions take 100 µs. Nothing but the
policy keeps a task from starving."""
SLICE_MS = 5


def busy(name: str, **attributes: Any) -> Program:
    """A program that has work for four seconds, without a pause."""
    return Program(
        name, "saturating", launch_ns=MS // 5, launches=20_000, attributes=Attributes(**attributes)
    )


def simulate(policy: str, model: Model, ms: float, *programs: Program, **more: Any) -> Run:
    scenario = Scenario(
        "test", programs, duration_ns=round(ms * MS), warm_ns=0, model=model, **more
    )
    done = run(scenario, registry.make(policy))
    assert done.failure is None
    assert done.refusals == []
    return done


def shares(done: Run, ms: float) -> list[float]:
    """Percent of the time for which each task ran."""
    return [100 * task.busy_ns / (ms * MS) for task in done.tasks]
