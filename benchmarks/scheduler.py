"""Measures the cost of a decision by each policy, and the event rate of the simulator.

Prints JSON. Times are CPU times of one thread:

    python benchmarks/scheduler.py > results/local/bench_scheduler.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

from giveway.devices.machine import machine, versions
from giveway.sched.policies import registry
from giveway.sched.scheduler import Scheduler
from giveway.sched.task import Active, Attributes, Event, Idle, Joined, TaskId, Tick
from giveway.simulate import engine
from giveway.simulate.scenario import MS, SECOND, Program, Scenario

TASKS = 64


def decisions(policy: str, count: int) -> dict[str, float]:
    """The CPU time in microseconds from an event to its decisions, with 64 tasks on the device."""
    scheduler = Scheduler(registry.make(policy))
    ids = [TaskId("d0", n) for n in range(TASKS)]
    for n, id_ in enumerate(ids):
        attributes = Attributes(priority=n % 7, deadline_ns=(n + 1) * MS, share=1.5)
        scheduler.handle(Joined(id_, n, "p", attributes), 0)
        scheduler.handle(Active(id_), 0)
    spent = []
    now = 0
    for n in range(count):
        id_ = ids[n * 7 % TASKS]
        wake = scheduler.next_wake()
        now = now + 100_000 if wake is None else min(wake[0], now + 100_000)
        event: Event = Idle(id_) if scheduler.view.tasks[id_].active else Active(id_)
        if wake is not None and now == wake[0]:
            event = Tick("d0")
        began = time.thread_time_ns()
        scheduler.handle(event, now)
        spent.append(time.thread_time_ns() - began)
    spent.sort()
    quantiles = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    return {name: spent[int(count * part)] / 1e3 for name, part in quantiles.items()} | {
        "max": spent[-1] / 1e3
    }


def fleet(tasks: int, devices: int, duration_ms: int) -> Scenario:
    """A scenario in which a tenth of the tasks answer requests and the others are saturating."""
    urgent = Program(
        "serve",
        "poisson",
        launch_ns=MS // 10,
        launches=20,
        period_ns=50 * MS,
        count=tasks // 10,
        attributes=Attributes(priority=10, share=30.0, deadline_ns=20 * MS),
    )
    other = Program("train", "saturating", launch_ns=MS // 5, launches=100, count=tasks * 9 // 10)
    return Scenario("fleet", (urgent, other), duration_ms * MS, warm_ns=0, devices=devices)


def simulation(policy: str, scenario: Scenario) -> dict[str, Any]:
    began = time.process_time()
    run = engine.run(scenario, registry.make(policy))
    seconds = time.process_time() - began
    assert run.failure is None
    return {
        "policy": policy,
        "tasks": len(run.tasks),
        "devices": scenario.devices,
        "simulated_seconds": scenario.duration_ns / SECOND,
        "events": run.events,
        "cpu_seconds": round(seconds, 3),
        "events_per_second": round(run.events / seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short trial, not a measurement")
    quick = parser.parse_args().quick
    result = {
        "machine": machine(),
        "versions": versions(),
        "load_average": os.getloadavg(),
        "decision_us": {
            name: decisions(name, 2_000 if quick else 50_000) for name in registry.BUILT_IN
        },
        "simulation": [
            simulation(name, scenario)
            for scenario in (
                fleet(10, 1, 2_000 if quick else 60_000),
                fleet(10_000, 1_000, 50 if quick else 200),
            )
            for name in registry.BUILT_IN
        ],
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
