"""Checks for programs with more OpenMP threads than their CPU quota pays for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from giveway.devices import quota
from giveway.devices.quota import Quota
from giveway.doctor.findings import Problem
from giveway.errors import PageError
from giveway.observe import tasks


def in_words(own: Quota) -> str:
    """The quota of this shell, with what `giveway run` makes of it."""
    fits = quota.fitting(os.environ, "")
    then = f"; giveway run sets OMP_NUM_THREADS={fits[0]}" if fits is not None else ""
    return f"{own}{then}"


def problems(own: Quota | None) -> Iterator[Problem]:
    """The settings of this shell, and the running tasks, that do not fit their quota."""
    threads = quota.unfit(os.environ, own, len(os.sched_getaffinity(0)))
    stated = [name for name in quota.DECIDED_BY if name in os.environ]
    if own is not None and threads is not None and stated:
        yield Problem(
            f"{stated[0]}={os.environ[stated[0]]} is more than the CPU quota of {own} pays for:"
            " programs are throttled",
            f"export {stated[0]}={threads}",
        )
    try:
        running = {task.pid: task.name for task in tasks.read() if not task.is_thread}
    except PageError:  # reported with the page
        return
    for pid, name in running.items():
        yield from _of_program(pid, name)


def _of_program(pid: int, name: str) -> Iterator[Problem]:
    of = quota.read(os.environ, pid)
    try:
        threads = quota.unfit(_environ(pid), of, len(os.sched_getaffinity(pid)))
    except OSError:  # it has just ended
        return
    if of is not None and threads is not None and of.throttled > 0:
        yield Problem(
            f"{name} ({pid}) has more OpenMP threads than its CPU quota of {of} pays for, and was"
            f" throttled {of.throttled} times",
            f"start it with OMP_NUM_THREADS={threads}",
        )


def _environ(pid: int) -> Mapping[str, str]:
    text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    return dict(line.split("=", 1) for line in text.split("\0") if "=" in line)
