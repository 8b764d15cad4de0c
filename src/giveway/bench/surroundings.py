"""What else is on this machine while it measures: a daemon, tasks of others, load, settings."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from giveway import devices
from giveway.bench import load
from giveway.devices import mps, nvml
from giveway.errors import NotMeasuredError, PageError, UsageError
from giveway.page.library import NO_PAGE
from giveway.page.observer import Page, page_path
from giveway.results.rounds import MOST_OTHERS
from giveway.sched.task import Task

PREFIXES: Final = (
    *("GIVEWAY_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "MALLOC_"),
    *("CUDA_", "NVIDIA_", "NCCL_", "HIP_", "ROCR_", "HSA_", "TORCH_", "PYTORCH_", "LD_"),
)
"""The first letters of variables that change what programs do, and are recorded."""
_SOCKET: Final = "daemon.sock"


def refuse_under_run() -> None:
    """Raises UsageError under ``giveway run``: programs that should run ungated would be gated."""
    if "GIVEWAY_RUN" in os.environ:
        raise UsageError(
            "giveway bench and giveway demo start their programs: call them without giveway run"
        )


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that belong to a result."""
    return {key: environment[key] for key in sorted(environment) if key.startswith(PREFIXES)}


def intruders(device: str, anyway: bool) -> list[str]:
    """The daemon, and the tasks of other programs, on the pages of a device, in words.

    Raises:
        NotMeasuredError: there are some, and ``anyway`` is false.
        PageError: a page cannot be used.
    """
    found = [*_intruders(device), *_mps(device)]
    if found and not anyway:
        raise NotMeasuredError(
            f"{' and '.join(found)} would take part in the measurement: stop it, or measure "
            "nevertheless with --anyway"
        )
    return found


def _intruders(device: str) -> list[str]:
    pages = []
    for name in devices.get(device).pages:
        try:
            pages.append(Page.open(name))
        except PageError as error:
            if error.code != NO_PAGE:
                raise
    decider = next((pid for page in pages if (pid := page.decider())), 0)
    return in_words(decider or _daemon_answers(), [task for page in pages for task in page.tasks()])


def _mps(device: str) -> list[str]:
    """A running MPS whose clients the programs of all modes would be."""
    folder = Path(os.environ.get(mps.PIPES) or mps.USUAL)
    if device != "cuda" or mps.ask(folder) is None:
        return []
    return [f"NVIDIA's multi-process service (in {folder})"]


def in_words(decider: int, tasks: Sequence[Task]) -> list[str]:
    """A daemon and tasks in words.

    Args:
        decider: the pid of the daemon that decides; 1: its pid is not known; 0: no daemon.
    """
    found = []
    if decider:
        found.append(f"a daemon (giveway serve{f', pid {decider}' if decider > 1 else ''})")
    found += [f"the task {task.name!r} (pid {task.pid})" for task in tasks[:3]]
    if len(tasks) > 3:
        found[-1] += f" and {len(tasks) - 3} more"
    return found


def _daemon_answers() -> int:
    """1 if a daemon listens that does not decide about these pages yet, else 0."""
    folder = page_path("any").parent
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # The address of a socket is short, however long the path of the folder is.
            connection.connect(f"/proc/self/fd/{descriptor}/{_SOCKET}")
        finally:
            os.close(descriptor)
        return 1
    return 0


def load_in_words(found: Mapping[str, Any]) -> str | None:
    """The load at the start, in words; None if the machine is free."""
    if (words := gpu_in_words(found)) is not None:
        return words
    if max(found["others"], found["steal"]) <= MOST_OTHERS:
        return None
    named = [
        f"{each['name']} (pid {each['pid']}, {each['cores']:.0%} of a core)"
        for each in found["programs"]
    ]
    who = f": {', '.join(named)}" if named else ""
    if found["steal"] > MOST_OTHERS:
        return f"other virtual machines take {found['steal']:.0%} of the processor time"
    return f"other programs use {found['others']:.0%} of the processor time{who}"


def gpu_in_words(found: Mapping[str, Any]) -> str | None:
    """The load of the GPU at the start, in words; None if it is free, or unknown."""
    share = found.get("device")
    if share is None or share <= MOST_OTHERS:
        return None
    return f"other programs keep the GPU busy {share:.0%} of the time (nvidia-smi lists them)"


def first_free(looks: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first load at which the machine is free; the last one if it never is."""
    found: Mapping[str, Any] = {}
    for found in looks:
        if load_in_words(found) is None:
            break
    return found


def at_start(device: str, anyway: bool, looks: int = 1) -> dict[str, Any]:
    """What a result records about the machine before it starts a program.

    Args:
        device: the device to measure on.
        anyway: whether to measure beside a daemon and tasks of other programs.
        looks: the most looks at a load that may pass, half a second each.

    Raises:
        NotMeasuredError: a daemon or other tasks would take part, and ``anyway`` is false.
        PageError: a page cannot be used.
    """
    return {
        "environment": settings(os.environ),
        "intruders": intruders(device, anyway),
        "load": first_free(_look(device) for _ in range(looks)),
    }


def _look(device: str) -> dict[str, Any]:
    """The load before any program of the bench runs: of the cores, and of the GPU."""
    if device != "cuda":
        return {**load.look(), "device": None}
    gpu, began = nvml.Utilization(), time.monotonic()
    return {**load.look(), "device": gpu.share(began)}
