"""What the system knows about a task: its user, its command, and its part of a GPU."""

from __future__ import annotations

import functools
import os
import pwd
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from giveway.devices.hip import gpu_numbers
from giveway.devices.nvml import Gpus
from giveway.errors import PageError
from giveway.observe.programs import Program
from giveway.page.observer import page_path
from giveway.sched.task import Task

Key = tuple[str, int]
"""A device and a pid."""

_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Details:
    """Properties of a task's process and device; None: unknown, or there is no such thing."""

    user: str | None = None
    command: str | None = None
    """The arguments of the process, separated by spaces."""
    gpu: int | None = None
    """The number of the GPU, as nvidia-smi and rocm-smi count."""
    gpu_memory_bytes: int | None = None
    """The memory that the process uses on the GPU, as the driver counts it."""

    def to_json(self) -> dict[str, object]:
        return asdict(self)


UNKNOWN: Final = Details()


class Inspector:
    """Reads details, again and again."""

    def __init__(self) -> None:
        self._here: dict[tuple[str, int], bool] = {}
        """By device and ticket."""
        self._gpus: Gpus | None = None

    def read(self, tasks: Iterable[Task], others: Iterable[Program] = ()) -> dict[Key, Details]:
        """The details of tasks, and of programs that have none."""
        tasks = list(tasks)
        known, self._here = self._here, {}
        for task in tasks:
            key = (task.device, task.ticket)
            self._here[key] = known[key] if key in known else is_here(task)
        here = {
            (task.device, task.pid) for task in tasks if self._here[task.device, task.ticket]
        } | {(other.device, other.pid) for other in others}
        numbers, memory = self._read_gpus({task.device for task in tasks})
        keys = here | {(task.device, task.pid) for task in tasks}
        return {
            (device, pid): Details(
                _user(pid) if (device, pid) in here else None,
                _command(pid) if (device, pid) in here else None,
                numbers.get(device),
                memory.get(device, {}).get(pid) if (device, pid) in here else None,
            )
            for device, pid in keys
        }

    def _read_gpus(
        self, names: set[str]
    ) -> tuple[Mapping[str, int], Mapping[str, Mapping[int, int]]]:
        """The number of each GPU, and on each the bytes of each process."""
        names = {name for name in names if name.startswith("GPU-")}
        if not names:
            return {}, {}
        if self._gpus is None:
            self._gpus = Gpus()
        numbers = {name: self._gpus.number(name) for name in names}
        found = {name: number for name, number in numbers.items() if number is not None}
        return {**gpu_numbers(), **found}, {name: self._gpus.memory(name) for name in found}


def is_here(task: Task) -> bool:
    """Whether the process that has the task's pid here is the process of the task.

    The pid of a task is valid in the PID namespace of its process. In another namespace, the same
    pid belongs to another process, which maps this page only by chance. Where the maps of another
    user's process cannot be read, a process that may use the page and is older than the task has to
    do.
    """
    process = _PROC / str(task.pid)
    try:
        page = page_path(task.device).stat()
    except (OSError, PageError):
        return False
    try:
        return _namespace(process) == _namespace(_PROC / "self") and _maps(process, page.st_ino)
    except PermissionError:
        return _may_use(process, page) and _started_before(process, task.joined_seconds)
    except OSError:
        return False


def _namespace(process: Path) -> int:
    return (process / "ns/pid").stat().st_ino


def _maps(process: Path, inode: int) -> bool:
    lines = (process / "maps").read_text(errors="replace").splitlines()
    return any(line.split(maxsplit=5)[4:5] == [str(inode)] for line in lines)


def _may_use(process: Path, page: os.stat_result) -> bool:
    try:
        fields = dict(
            line.partition(":")[::2] for line in (process / "status").read_text().splitlines()
        )
    except OSError:
        return False
    groups = {*fields.get("Gid", "").split(), *fields.get("Groups", "").split()}
    return str(page.st_uid) in fields.get("Uid", "").split() or str(page.st_gid) in groups


def _started_before(process: Path, seconds: float) -> bool:
    """Whether the process started before a time on the monotonic clock, as far as is known: that
    clock stands still while the machine sleeps, and the time of a start does not."""
    slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    try:
        text = (process / "stat").read_text(errors="replace")
        started = int(text.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return False
    return started <= seconds + slept


def _user(pid: int) -> str | None:
    try:
        return _user_name((_PROC / str(pid)).stat().st_uid)
    except OSError:
        return None


@functools.cache
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _command(pid: int) -> str | None:
    try:
        arguments = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    words = arguments.rstrip(b"\0").split(b"\0")
    return b" ".join(words).decode(errors="replace") or None
