"""Whether a limit or a reservation of device memory can be met, as far as the gate pages tell.

A page knows how much memory its GPU has once a program has used the GPU under giveway. What is not
known here, the program finds out when it starts, and says in one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from giveway.devices.base import Device
from giveway.errors import PageError, UsageError
from giveway.page.observer import Page
from giveway.sched.memory import Amount, parse, show


class Wanted(NamedTuple):
    """What the user asks for; None: nothing."""

    limit: Amount | None = None
    reserve: Amount | None = None
    parkable: bool | None = None
    """Whether more urgent programs that need memory may park the program."""


def read(limit: str | None, reserve: str | None, parkable: bool | None = None) -> Wanted:
    """What the options ``--memory``, ``--reserve`` and ``--parkable`` say.

    Raises:
        UsageError: one of them is no amount, or the reservation is above the limit.
    """
    wanted = Wanted(
        None if limit is None else parse(limit, "--memory"),
        None if reserve is None else parse(reserve, "--reserve"),
        parkable,
    )
    if wanted.limit is not None and wanted.reserve is not None:
        same = (wanted.limit.size is None) == (wanted.reserve.size is None)
        if same and wanted.reserve.of(1 << 50) > wanted.limit.of(1 << 50):
            raise UsageError(f"--reserve {reserve} is more than --memory {limit}")
    return wanted


NOTHING: Final = Wanted()


class _Gpu(NamedTuple):
    name: str
    total: int
    context: int
    others: int
    """Bytes that programs use or have reserved."""


def check(device: Device, wanted: Wanted) -> None:
    """Checks that at least one GPU of the device can give what is wanted.

    Which GPU the program will use is not known, so nothing is refused while there is one of which
    too little is known.

    Raises:
        UsageError: no GPU can, or the device is no GPU, or none whose driver moves memory.
    """
    if wanted.parkable and device.name != "cuda":
        raise UsageError(f"--parkable is for NVIDIA GPUs, not for --device {device.name}")
    if wanted.limit is None and wanted.reserve is None:
        return
    if device.find_gpus is None:
        raise UsageError(f"--memory and --reserve are for GPUs, not for --device {device.name}")
    problems = []
    for name in device.pages:
        gpu = _read(name)
        problem = None if gpu is None else next(_problems(gpu, wanted), None)
        if problem is None:
            return
        problems.append(problem)
    if problems:
        raise UsageError(problems[0])


def _read(name: str) -> _Gpu | None:
    try:
        page = Page.open(name)
        total, context = page.memory()
        tasks = page.tasks()
    except PageError:
        return None
    present = [task for task in tasks if task.state != "parked"]
    kept = (max(task.memory or 0, task.memory_reserve or 0) for task in present)
    return _Gpu(name, total, context, sum(kept)) if total else None


def _problems(gpu: _Gpu, wanted: Wanted) -> Iterator[str]:
    has = f"the {show(gpu.total)} of {gpu.name}"
    if wanted.limit is not None:
        limit = wanted.limit.of(gpu.total)
        if limit > gpu.total:
            yield f"--memory {show(limit)} is more than {has}"
        if limit <= gpu.context:
            yield f"--memory {show(limit)} is too little: a context takes {show(gpu.context)}"
    if wanted.reserve is not None:
        reserve = wanted.reserve.of(gpu.total)
        if reserve > gpu.total:
            yield f"--reserve {show(reserve)} is more than {has}"
        if reserve + gpu.others > gpu.total:
            yield (
                f"--reserve {show(reserve)} cannot be met: other programs use or have reserved"
                f" {show(gpu.others)} of {has}"
            )
