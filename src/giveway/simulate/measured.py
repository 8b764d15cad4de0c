"""Scenarios of what was measured: ``giveway trace --json`` and ``giveway demo --json``."""

from __future__ import annotations

from typing import Any, Final

from giveway.errors import UsageError
from giveway.simulate.scenario import SECOND, Model, Program, Scenario
from giveway.task import Attributes

_PARTS: Final = 20
"""Launches into which a request is divided where their number is not known. With interrupts it does
not matter, and without it says how soon a request can be held up."""


def scenario(name: str, result: dict[str, Any]) -> Scenario:
    """The scenario behind a result.

    Raises:
        UsageError: it is neither of the two.
    """
    try:
        if "processes" in result:
            return _of_trace(name, result)
        if "modes" in result and "sizes" in result:
            return _of_demo(name, result)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{name} is damaged: {type(error).__name__}: {error}") from error
    raise UsageError(f"{name} was written by neither giveway trace --json nor giveway demo --json")


def _of_trace(name: str, result: dict[str, Any]) -> Scenario:
    """Each task that was traced, launching as often as it did.

    A trace does not say how long launches take on the device. They are taken to fill the time in
    which the task was not held, which is the most that it can be.
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
                    arrivals="continuous",
                    launch_ns=max(1_000, round(free / launches)),
                    launches=max(1, round(launches / syncs)) if syncs else 1,
                    device=device,
                    process=str(process["pid"]),
                    attributes=Attributes(priority=int(task["priority"])),
                )
            )
    if not programs:
        raise UsageError(f"{name} has no launches in it")
    return Scenario(
        name, tuple(programs), devices=len(devices), model=Model(interrupt="cpu" in devices)
    )


def _of_demo(name: str, result: dict[str, Any]) -> Scenario:
    """The two programs of the demo as they were alone; the simulation brings them together."""
    sizes = result["sizes"]
    period_ns = round(float(sizes["period_ms"]) * 1e6)
    service_ns = float(sizes["high_busy_share"]) * period_ns
    batch_ns = SECOND / float(result["modes"]["alone"]["low"]["throughput"])
    high = Program(
        name=str(sizes["high_model"]),
        arrivals="periodic",
        period_ns=period_ns,
        launches=_PARTS,
        launch_ns=round(service_ns / _PARTS),
        attributes=Attributes(priority=10),
    )
    low = Program(
        name=str(sizes["low_model"]),
        arrivals="continuous",
        launches=_PARTS,
        launch_ns=round(batch_ns / _PARTS),
    )
    return Scenario(name, (high, low), model=Model(interrupt=result["device"] == "cpu"))
