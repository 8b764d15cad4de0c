"""Requests of `park` and `unpark`: what is checked before, the progress, and the result."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from giveway.cli.parts import progress
from giveway.cli.parts.lines import echo_line
from giveway.errors import NoSuchTaskError, ParkError
from giveway.observe import tasks
from giveway.page.observer import Page
from giveway.page.parking import Parking, Refusal, Stage
from giveway.sched.memory import show
from giveway.sched.task import Task

POLL_SECONDS: Final = 0.02
ANSWER_SECONDS: Final = 10.0
"""A program that has not begun with a request after this time does not answer."""

Update = Callable[[str, float], None]

_WHY: Final = {
    Refusal.BUSY: "its work on the GPU did not end in time (GIVEWAY_PARK_WAIT_MS)",
    Refusal.FORBIDDEN: "the system does not permit it (error {number}): in a container, allow"
    " ptrace (--cap-add SYS_PTRACE)",
    Refusal.UNSUPPORTED: "the driver cannot do that with this program (error {number})",
    Refusal.MANAGED: "it has managed memory, which the driver cannot move",
    Refusal.SHARED: "it shares GPU memory with other processes (IPC)",
    Refusal.JOB: "it is a member of a job, whose other members would wait for it",
    Refusal.NO_HOST_MEMORY: "it has {memory} on the GPU, and host memory (of the machine, or of its"
    " cgroup) has room for {room}",
    Refusal.NO_ROOM: "it has {memory}, and the GPU has room for {room}",
    Refusal.WITHDRAWN: "the request was withdrawn",
    Refusal.DRIVER: "the driver failed (error {number})",
    Refusal.DEVICES: "it uses several GPUs",
}


def why(parking: Parking, memory: int) -> str:
    """Why a request was refused, as a clause about the program, which has ``memory`` bytes."""
    amounts = {"memory": show(memory), "room": show(parking.room)}
    return _WHY[parking.refusal].format(number=parking.number, **amounts)


def park(pid: int) -> None:
    """Parks a program.

    Raises:
        NoSuchTaskError: the process is not gated, or another user's.
        ParkError: it cannot be parked, or was not; it goes on.
    """
    page, task = _find(pid)
    title = f"{task.name} ({pid})"
    now = page.parking(task.ticket)
    if now.stage is not Stage.NOT_PARKED:
        raise ParkError(f"{title} is {task.state} already")
    _check(title, task, now)
    page.park(task.ticket)
    try:
        now = _wait(page, task, Stage.PARKED)
    except BaseException:
        page.unpark(task.ticket)
        raise
    if now.stage is not Stage.PARKED:
        raise ParkError(f"{title} was not parked: {why(now, task.memory or 0)}")
    echo_line(f"{title}: parked, {show(task.memory or 0)} are in host memory")


def unpark(pid: int) -> None:
    """Brings a parked program back.

    Raises:
        NoSuchTaskError: the process is not gated, or another user's.
        ParkError: it is not parked, or stays so.
    """
    page, task = _find(pid)
    title = f"{task.name} ({pid})"
    if page.parking(task.ticket).stage is Stage.NOT_PARKED:
        raise ParkError(f"{title} is not parked")
    _check_running(title, pid)
    page.unpark(task.ticket)
    now = _wait(page, task, Stage.NOT_PARKED)
    if now.stage is not Stage.NOT_PARKED:
        raise ParkError(f"{title} stays parked: {why(now, task.memory or 0)}")
    echo_line(f"{title}: unparked, {show(task.memory or 0)} are back on the GPU")


def _find(pid: int) -> tuple[Page, Task]:
    """The process's task, and its page."""
    for page in tasks.pages():
        for task in page.tasks():
            if task.pid == pid and not task.is_thread:
                return page, task
    try:
        process = psutil.Process(pid)
        if process.uids().real != psutil.Process().uids().real:
            raise NoSuchTaskError(f"process {pid} belongs to another user: {process.username()}")
    except psutil.Error as error:
        raise NoSuchTaskError(f"there is no process {pid}: giveway ps lists all tasks") from error
    raise NoSuchTaskError(
        f"process {pid} is not gated: start the program with giveway run, or see giveway ps"
    )


def _check(title: str, task: Task, now: Parking) -> None:
    if task.device == "cpu":
        raise ParkError(f"{title} is on the cpu device, which has no memory of its own to free")
    if not now.can_park:
        raise ParkError(
            f"{title} cannot be parked: its driver has no checkpoint calls"
            " (NVIDIA's has them from 570 on, AMD's has none)"
        )
    if task.job:
        raise ParkError(f"{title} cannot be parked: {_WHY[Refusal.JOB]}")
    _check_running(title, task.pid)


def _check_running(title: str, pid: int) -> None:
    """A stopped program would answer only after it goes on."""
    text = Path(f"/proc/{pid}/stat").read_text()
    if text.rpartition(")")[2].split()[0] in "Tt":
        raise ParkError(f"{title} is stopped: let it go on first (kill -CONT {pid})")


def _wait(page: Page, task: Task, wanted: Stage) -> Parking:
    """Waits for the wanted stage, or for a refusal; shows the progress."""
    began = time.monotonic()
    resident = _resident(task.pid)
    first = page.parking(task.ticket).stage
    stage = None
    with progress.bar() as update:
        while True:
            now = page.parking(task.ticket)
            if now.stage is wanted or now.refusal is not Refusal.NONE:
                return now
            if now.stage is first and time.monotonic() - began > ANSWER_SECONDS:
                raise ParkError(f"{task.name} ({task.pid}) does not answer: it goes on as before")
            if now.stage is not stage or sys.stderr.isatty():
                moved = _resident(task.pid) - resident
                _show(update, now.stage, task, abs(moved) / max(task.memory or 0, 1))
            stage = now.stage
            time.sleep(POLL_SECONDS)


def _resident(pid: int) -> int:
    """The host memory of a process, where its GPU memory goes; 0: it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _show(update: Update, stage: Stage, task: Task, moved: float) -> None:
    amount = show(task.memory or 0)
    if stage is Stage.DRAINS:
        update(f"{task.name}: its work on the GPU ends", 0.0)
    elif stage is Stage.SAVES:
        update(f"{task.name}: {amount} move to host memory", min(moved, 1.0))
    elif stage is Stage.RESTORES:
        update(f"{task.name}: {amount} move back to the GPU", min(moved, 1.0))
