"""Requests of `park` and `unpark`: what is checked before, the progress, and the result."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
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
RESERVE: Final = 16
"""The driver needs more host memory than it moves, by one part in so many; as in ``park.c``."""
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
    Refusal.NO_HOST_MEMORY: "it has {memory} on the GPU, which take {needed} of host memory, and"
    " the machine, or its cgroup, has {room} left; GIVEWAY_PARK_HOST_GIB states what the machine"
    " has",
    Refusal.NO_ROOM: "it has {memory}, and the GPU has room for {room}",
    Refusal.WITHDRAWN: "the request was withdrawn",
    Refusal.DRIVER: "the driver failed (error {number})",
    Refusal.ROOM_UNKNOWN: "it has memory on a GPU where it has no context to ask what is free, so"
    " that its memory might find no room to come back",
}


def why(parking: Parking, memory: int) -> str:
    """Why a request was refused, as a clause about the program, which has ``memory`` bytes."""
    needed = memory + memory // RESERVE
    amounts = {"memory": show(memory), "needed": show(needed), "room": show(parking.room)}
    return _WHY[parking.refusal].format(number=parking.number, **amounts)


class _Process:
    """A process on its GPUs: a page and a task for each. It is parked on all of them or on none."""

    def __init__(self, pid: int, rows: Sequence[tuple[Page, Task]]) -> None:
        self.pid = pid
        self.rows = rows
        self.task = rows[0][1]
        self.title = f"{self.task.name} ({pid})"
        self.memory = sum((task.memory or 0) + (task.memory_host or 0) for _, task in rows)

    def park(self) -> None:
        """Asks to park it: a request on one page is enough."""
        self.rows[0][0].park(self.task.ticket)

    def unpark(self) -> None:
        """Asks to bring it back, on every page: it stays parked while it is wanted on one."""
        for page, task in self.rows:
            page.unpark(task.ticket)

    def read(self) -> list[Parking]:
        """The parking of each row.

        Raises:
            NoSuchTaskError: the process has ended.
        """
        try:
            now = [page.parking(task.ticket) for page, task in self.rows]
        except NoSuchTaskError as error:
            raise NoSuchTaskError(f"{self.title} has ended") from error
        self.memory = sum(each.memory for each in now)
        return now

    def why(self, now: Sequence[Parking]) -> str:
        """Why the last request was refused. Of several GPUs, the one that is too small counts."""
        refused = next(each for each in now if each.refusal is not Refusal.NONE)
        if refused.refusal is not Refusal.NO_ROOM:
            return why(refused, self.memory)
        short = min(now, key=lambda each: each.room - each.memory)
        return why(refused._replace(room=short.room), short.memory)


def park(pid: int) -> None:
    """Parks a program.

    Raises:
        NoSuchTaskError: the process is not gated, or another user's.
        ParkError: it cannot be parked, or was not; it goes on.
    """
    process = _find(pid)
    now = process.read()[0]
    if now.stage not in (Stage.NOT_PARKED, Stage.RESTORES):
        raise ParkError(f"{process.title} is {process.task.state} already")
    _check(process.title, process.task, now)
    process.park()
    try:
        found = _wait(process, Stage.PARKED)
    except NoSuchTaskError:
        raise
    except BaseException:
        process.unpark()
        raise
    if found[0].stage is not Stage.PARKED:
        raise ParkError(f"{process.title} was not parked: {process.why(found)}")
    echo_line(f"{process.title}: parked, {show(process.memory)} are in host memory")


def unpark(pid: int) -> None:
    """Brings a parked program back.

    Raises:
        NoSuchTaskError: the process is not gated, or another user's.
        ParkError: it is not parked, or stays so.
    """
    process = _find(pid)
    if process.read()[0].stage is Stage.NOT_PARKED:
        raise ParkError(f"{process.title} is not parked")
    _check_running(process.title, pid)
    process.unpark()
    found = _wait(process, Stage.NOT_PARKED)
    if found[0].stage is not Stage.NOT_PARKED:
        raise ParkError(f"{process.title} stays parked: {process.why(found)}")
    echo_line(f"{process.title}: unparked, {show(process.memory)} are back on the GPU")


def _find(pid: int) -> _Process:
    """The process's tasks: those on GPUs, where it has any."""
    found = [
        (page, task)
        for page in tasks.pages()
        for task in page.tasks()
        if task.pid == pid and not task.is_thread
    ]
    on_gpus = [(page, task) for page, task in found if task.device != "cpu"]
    if found:
        return _Process(pid, on_gpus or found)
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
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError as error:
        raise NoSuchTaskError(f"{title} has ended") from error
    if text.rpartition(")")[2].split()[0] in "Tt":
        raise ParkError(f"{title} is stopped: let it go on first (kill -CONT {pid})")


def _wait(process: _Process, wanted: Stage) -> list[Parking]:
    """Waits for the wanted stage, or for a refusal; shows the progress."""
    began = time.monotonic()
    resident = _resident(process.pid)
    first = process.read()[0].stage
    rests = first in (Stage.NOT_PARKED, Stage.PARKED)
    stage = None
    with progress.bar() as update:
        while True:
            now = process.read()
            reached = all(each.stage is wanted for each in now)
            if reached or any(each.refusal is not Refusal.NONE for each in now):
                return now
            if rests and now[0].stage is first and time.monotonic() - began > ANSWER_SECONDS:
                raise ParkError(f"{process.title} does not answer: it goes on as before")
            if now[0].stage is not stage or sys.stderr.isatty():
                moved = _resident(process.pid) - resident
                _show(update, now[0].stage, process, abs(moved) / max(process.memory, 1))
            stage = now[0].stage
            time.sleep(POLL_SECONDS)


def _resident(pid: int) -> int:
    """The host memory of a process, where its GPU memory goes; 0: it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _show(update: Update, stage: Stage, process: _Process, moved: float) -> None:
    name, amount = process.task.name, show(process.memory)
    if stage is Stage.DRAINS:
        update(f"{name}: its work on the GPU ends", 0.0)
    elif stage is Stage.SAVES:
        update(f"{name}: {amount} move to host memory", min(moved, 1.0))
    elif stage is Stage.RESTORES:
        update(f"{name}: {amount} move back to the GPU", min(moved, 1.0))
