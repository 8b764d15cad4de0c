"""What the system knows about a task: its user, its command, and its part of a GPU."""

from __future__ import annotations

import functools
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from giveway.devices import hip
from giveway.devices.nvml import Gpus
from giveway.observe.pods import NO_POD, Pod, pod_of
from giveway.observe.programs import Program
from giveway.sched.task import Task, TaskId

Key = TaskId | Program

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
    pod: Pod = NO_POD
    """The Kubernetes pod of the process."""

    def to_json(self) -> dict[str, object]:
        pod = {name: value or None for name, value in self.pod._asdict().items()}
        return {**asdict(self), **pod}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Details:
        """The details in a mapping that `to_json` or another version of giveway has made."""
        own = {each.name: found.get(each.name) for each in fields(cls) if each.name != "pod"}
        return cls(**own, pod=Pod(*(found.get(name) or "" for name in Pod._fields)))


UNKNOWN: Final = Details()


class Inspector:
    """Reads details, again and again."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[int | None, Pod]] = {}
        """The pid here of the process, and its pod."""
        self._gpus: Gpus | None = None

    def read(self, tasks: Iterable[Task], others: Iterable[Program] = ()) -> dict[Key, Details]:
        """The details of tasks, and of programs that have none."""
        shown: list[Task | Program] = [*tasks, *others]
        before = self._known
        self._known = {key(each): before.get(key(each)) or _find(each) for each in shown}
        devices = {each.device for each in shown}
        numbers = self.gpu_numbers(devices)
        memory = {name: self._memory(name) for name in numbers}
        return {
            key(each): _details(
                *self._known[key(each)], numbers.get(each.device), memory.get(each.device, {})
            )
            for each in shown
        }

    def _memory(self, gpu: str) -> dict[int, int]:
        """The bytes that each process uses on a GPU, by pid, from the driver of its maker."""
        assert self._gpus is not None
        return self._gpus.memory(gpu) or hip.memory(gpu)

    def gpu_numbers(self, devices: Iterable[str]) -> dict[str, int]:
        """The numbers of those of the devices that are GPUs, as nvidia-smi and rocm-smi count."""
        gpus = {device for device in devices if device.startswith("GPU-")}
        if not gpus:
            return {}
        if self._gpus is None:
            self._gpus = Gpus()
        numbers = {gpu: self._gpus.number(gpu) for gpu in gpus}
        others = hip.gpu_numbers()
        found = {
            gpu: others.get(gpu) if number is None else number for gpu, number in numbers.items()
        }
        return {gpu: number for gpu, number in found.items() if number is not None}


def key(shown: Task | Program) -> Key:
    """The key of a task or a program in the details that are read."""
    return TaskId(shown.device, shown.ticket) if isinstance(shown, Task) else shown


def find_process(task: Task) -> int | None:
    """The pid here of a task's process; None: it cannot be seen from here.

    The pid of the task is valid in the PID namespace of the process, where another process may have
    the number that this one has here.
    """
    try:
        if task.pid_namespace == _namespace(_PROC / "self"):
            return task.pid
    except OSError:
        return None
    processes = (path for path in _PROC.iterdir() if path.name.isdecimal())
    return next((int(path.name) for path in processes if _is_of(path, task)), None)


def _is_of(process: Path, task: Task) -> bool:
    try:
        status = (process / "status").read_text(errors="replace")
        pids = next(line for line in status.splitlines() if line.startswith("NSpid:"))
        return pids.split()[-1] == str(task.pid) and _namespace(process) == task.pid_namespace
    except (OSError, StopIteration):
        return False


def _namespace(process: Path) -> int:
    return (process / "ns/pid").stat().st_ino


def _find(shown: Task | Program) -> tuple[int | None, Pod]:
    pid = find_process(shown) if isinstance(shown, Task) else shown.pid
    return pid, NO_POD if pid is None else pod_of(_PROC / str(pid))


def _details(pid: int | None, pod: Pod, gpu: int | None, memory: Mapping[int, int]) -> Details:
    if pid is None:
        return Details(gpu=gpu)
    return Details(_user(pid), _command(pid), gpu, memory.get(pid), pod)


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
