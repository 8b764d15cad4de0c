"""The modes, in which programs share the device differently, and how programs start in each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from giveway import launch
from giveway.scenarios.model import Program, Scenario
from giveway.scenarios.modes import gated, kind, tolerance, uses_mps

REQUIRED: Final = ("alone", "native", "giveway")
_NICEST: Final = 19
_MPS_CONTROL: Final = "nvidia-cuda-mps-control"


@dataclass(frozen=True, slots=True)
class Setup:
    """The environment and the command prefix of one program in one mode."""

    environment: Mapping[str, str]
    prefix: Sequence[str] = ()
    stream: int | None = None
    """The priority of the CUDA stream (smaller is more urgent); None: the default stream."""


def missing(mode: str, device: str, scenario: Scenario) -> str | None:
    """The reason why a mode cannot be measured here; None if it can."""
    if mode not in scenario.modes and kind(mode) not in scenario.modes:
        return f"not a mode of {scenario.name}"
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
    if uses_mps(mode) and shutil.which(_MPS_CONTROL) is None:
        return f"the program {_MPS_CONTROL} is not installed"
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
        base |= {"CUDA_MPS_PIPE_DIRECTORY": mps_folder, "CUDA_MPS_LOG_DIRECTORY": mps_folder}
        base |= {"CUDA_MPS_CLIENT_PRIORITY": "1" if rank else "0"}
    if gated(mode):
        tolerates = tolerance(mode)
        settings = [] if rank or tolerates is None else [f"slowdown={tolerates:g}%"]
        # `giveway ps` shows this name.
        name = f"bench-{program.name}"
        environment = launch.environment(base, device, program.priority, name, settings)
        return Setup({**environment, **program.hints})
    if mode == "nice":
        return Setup(base, ("nice", "-n", str(round(rank * _NICEST))))
    if mode == "streams":
        return Setup(base, stream=0 if rank else -5)
    return Setup(base)


def _rank(scenario: Scenario, program: Program) -> float:
    """The rank of a program by priority: 0 for the most urgent, 1 for the least."""
    priorities = sorted({each.priority for each in scenario.programs}, reverse=True)
    return priorities.index(program.priority) / max(1, len(priorities) - 1)
