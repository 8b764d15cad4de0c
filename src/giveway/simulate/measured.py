"""Derives scenarios from measurements: ``giveway trace --json``, ``bench`` and ``demo --json``."""

from __future__ import annotations

from typing import Any, Final

from giveway.errors import UsageError
from giveway.sched.task import Attributes
from giveway.simulate.scenario import SECOND, Arrivals, Model, Program, Scenario

_PARTS: Final = 20
"""The number of launches of a request where it is unknown. It matters only without interrupts,
where it bounds how soon a request can be preempted."""

_ARRIVALS: Final[tuple[Arrivals, ...]] = ("fixed", "poisson", "saturating")


def scenario(name: str, result: dict[str, Any]) -> Scenario:
    """The scenario behind a result of a trace or of a benchmark.

    Raises:
        UsageError: the document is neither, or is damaged.
    """
    try:
        if "processes" in result:
            return _of_trace(name, result)
        if "results" in result:
            return _of_bench(name, result)
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{name} is damaged: {type(error).__name__}: {error}") from error
    raise UsageError(f"{name} was written by neither giveway trace, nor bench, nor demo")


def _of_trace(name: str, result: dict[str, Any]) -> Scenario:
    """The traced tasks, with as many launches as each made.

    A trace has no device times of launches. The launches are assumed to fill the time in which the
    task was not held, which is an upper bound.
    """
    seconds = float(result["seconds"])
    programs: list[Program] = []
    devices: dict[str, int] = {}
    for process in result["processes"]:
        syncs = int(process["calls"].get("syncs", 0))
        for task in process["tasks"]:
            launches = int(task["launches"])
            if launches == 0:
                continue
            device = devices.setdefault(str(task["device"]), len(devices))
            free = seconds * SECOND - int(task["held_ns"])
            programs.append(
                Program(
                    name=f"{task['name']} {len(programs) + 1}",
                    arrivals="saturating",
                    launch_ns=max(1_000, round(free / launches)),
                    launches=max(1, round(launches / syncs)) if syncs else 1,
                    device=device,
                    process=str(process["pid"]),
                    attributes=Attributes(priority=int(task["priority"])),
                )
            )
    if not programs:
        raise UsageError(f"{name} contains no launches")
    return Scenario(
        name, tuple(programs), devices=len(devices), model=Model(interrupt="cpu" in devices)
    )


def _of_bench(name: str, result: dict[str, Any]) -> Scenario:
    """The programs of the first scenario, as measured alone; the simulation runs them together."""
    measured = result["results"][0]
    programs = []
    for each, program in measured["programs"].items():
        alone = measured["modes"]["alone"][each]
        arrivals = next((known for known in _ARRIVALS if known == program["arrivals"]), None)
        if arrivals is None:
            raise UsageError(f"{name}: arrivals of {each} are neither {' nor '.join(_ARRIVALS)}")
        service_ns = SECOND * float(alone["busy_share"]) / float(alone["throughput"])
        programs.append(
            Program(
                name=each,
                arrivals=arrivals,
                period_ns=round(SECOND / float(program["rate"])) if program["rate"] else 0,
                launches=_PARTS,
                launch_ns=round(service_ns / _PARTS),
                attributes=Attributes(priority=int(program["priority"] or 0)),
            )
        )
    return Scenario(name, tuple(programs), model=Model(interrupt=result["device"] == "cpu"))
