"""The modes, in which programs share the device differently, and how programs start in each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from giveway import launch
from giveway.devices import mps, quota
from giveway.errors import UsageError
from giveway.scenarios.model import Program, Scenario
from giveway.scenarios.modes import gated, kind, ordered, tolerance, uses_mps

REQUIRED: Final = ("alone", "native", "giveway")
_QUICK: Final = ("alone", "native", "giveway")
_NICEST: Final = 19


@dataclass(frozen=True, slots=True)
class Setup:
    """The environment and the command prefix of one program in one mode."""

    environment: Mapping[str, str]
    prefix: Sequence[str] = ()
    stream: int | None = None
    """The priority of the CUDA stream (smaller is more urgent); None: the default stream."""


def wanted(
    scenario: Scenario, device: str, named: Sequence[str] = (), quick: bool = False
) -> tuple[str, ...]:
    """The modes in which a scenario is to be measured, in their order.

    Args:
        scenario: the scenario, whose own modes apply where the user names none.
        device: the device to measure on.
        named: the modes that the user names.
        quick: whether to leave out the optional modes of the scenario.

    Raises:
        UsageError: a mode that the user names, or every mode, cannot be measured here.
    """
    found = ordered(named or (each for each in scenario.modes if not quick or kind(each) in _QUICK))
    why_not = {each: why for each in found if (why := missing(each, device, scenario)) is not None}
    if why_not and (named or len(why_not) == len(found)):
        mode, why = next(iter(why_not.items()))
        raise UsageError(
            f"{scenario.name} cannot be measured in the mode {mode}: {why}; choose other --modes"
        )
    if not found:
        raise UsageError(
            f"{scenario.name} has no mode of --quick ({', '.join(_QUICK)}); choose --modes"
        )
    return found


def missing(mode: str, device: str, scenario: Scenario) -> str | None:
    """The reason why a mode cannot be measured here; None if it can."""
    if kind(mode) not in ("alone", "giveway") and not scenario.together:
        return "its programs run one at a time"
    if mode == "nice" and device != "cpu":
        return "nice affects only processors"
    if mode == "nice" and shutil.which("nice") is None:
        return "the program nice is not installed"
    if (mode == "streams" or uses_mps(mode)) and device != "cuda":
        return f"the device {device} does not support it"
    if mode == "streams" and any(program.command for program in scenario.programs):
        return "a command chooses its own streams"
    if uses_mps(mode) and shutil.which(mps.CONTROL) is None:
        return f"the program {mps.CONTROL} is not installed"
    return None


def setup(
    mode: str, device: str, scenario: Scenario, program: Program, mps_folder: str | None = None
) -> Setup:
    """The setup of a program in a mode; ``alone`` and ``native`` have the same.

    What a mode sets follows from the order of priorities: a scenario states once which program is
    urgent.
    """
    base = {**os.environ, **program.environment}
    rank = _rank(scenario, program)
    if uses_mps(mode) and mps_folder is not None:
        # 1 is "below normal"; MPS has only these two priorities.
        base = mps.environment(base, Path(mps_folder)) | {mps.PRIORITY: "1" if rank else "0"}
    if gated(mode):
        tolerates = tolerance(mode)
        settings = [] if rank or tolerates is None else [f"slowdown={tolerates:g}%"]
        # `giveway ps` shows this name.
        name = f"bench-{program.name}"
        environment = launch.environment(base, device, program.priority, name, settings)
        if program.quota is not None:
            # As `giveway run` does, which finds the quota when the program is in its group.
            own = quota.Quota(program.quota, Path(), 0)
            threads = quota.unfit(environment, own, len(os.sched_getaffinity(0)))
            if threads is not None and not any(name in environment for name in quota.DECIDED_BY):
                environment["OMP_NUM_THREADS"] = str(threads)
        return Setup({**environment, **program.hints})
    if mode == "nice":
        return Setup(base, ("nice", "-n", str(round(rank * _NICEST))) if rank else ())
    if mode == "streams":
        return Setup(base, stream=0 if rank else -5)
    return Setup(base)


def _rank(scenario: Scenario, program: Program) -> float:
    """The rank of a program by priority: 0 for the most urgent, 1 for the least."""
    priorities = sorted({each.priority for each in scenario.programs}, reverse=True)
    return priorities.index(program.priority) / max(1, len(priorities) - 1)
