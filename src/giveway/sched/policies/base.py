"""What a policy is, and what it sees.

A policy is told what happens and answers with decisions. It has no clock, thread, file or
connection: ``now`` is passed in, so the same object runs in a daemon and in a simulation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from giveway.sched.task import Attributes, Decision, Event, Only, TaskId


@dataclass(frozen=True, slots=True, eq=False)
class TaskView:
    """A task as a policy sees it, always as of now: the same object for as long as the task lives.

    Only the scheduler changes it.
    """

    id: TaskId
    pid: int
    name: str
    attributes: Attributes
    active: bool
    """Whether it has work."""
    open: bool
    """Whether its gate is open."""
    held_by: TaskId | None
    """For whom its gate was closed, where the policy said so."""
    since_ns: int
    """When it became active, or idle."""
    used_ns: int
    """How long it has run (been active with an open gate) until `running_since_ns`, or in all."""
    running_since_ns: int | None
    """Since when it runs; None: it does not."""

    def used(self, now: int) -> int:
        """How long it has run by now, in nanoseconds; a switch of policy does not reset it."""
        since = self.running_since_ns
        return self.used_ns if since is None else self.used_ns + now - since


class View:
    """All tasks as a policy sees them."""

    def __init__(self) -> None:
        self._tasks: dict[TaskId, TaskView] = {}
        self._by_device: dict[str, tuple[TaskView, ...]] = {}
        self._by_pid: dict[int, tuple[TaskView, ...]] = {}
        self.tasks: Mapping[TaskId, TaskView] = MappingProxyType(self._tasks)

    @property
    def devices(self) -> Collection[str]:
        """The devices that tasks have joined."""
        return self._by_device.keys()

    def on(self, device: str) -> tuple[TaskView, ...]:
        """The tasks of a device, in the order in which they joined."""
        return self._by_device.get(device, ())

    def of(self, pid: int) -> tuple[TaskView, ...]:
        """The tasks of a process, on all devices, in the order in which they joined."""
        return self._by_pid.get(pid, ())

    def has_work(self, task: TaskId | None) -> bool:
        """Whether there is such a task and it is active."""
        return task is not None and task in self._tasks and self._tasks[task].active

    def active(self, device: str) -> list[TaskView]:
        """The tasks of a device that have work, in the order in which they joined."""
        return [task for task in self.on(device) if task.active]


class Policy(ABC):
    """Who may run. A subclass has a name and says what to do about each event.

    Parameters that users may set (``--policy edf,k=2``) are keyword arguments of ``__init__`` with
    a default, annotated ``int``, ``float`` or ``str``; where the name ends in ``_ns`` users write a
    time (``slice=2ms`` for ``slice_ns``).
    """

    name: ClassVar[str]

    @abstractmethod
    def decide(self, event: Event, view: View, now: int) -> Iterable[Decision]:
        """What follows from an event.

        Args:
            event: what happened; ``event.device`` says where. A policy that takes over is told of
                every task there is as if it joined now, then of those that are active as if they
                became so one by one.
            view: all tasks, the event included; one that left is gone.
            now: nanoseconds on the monotonic clock; never less than before.

        Returns:
            Decisions, of which the last about each task counts; gates stay as they are where there
            is none. It may be a generator. The scheduler refuses what cannot be, and where this
            raises it goes on with strict priority.
        """


def everyone(view: View, device: str) -> Only:
    """Opens every gate of a device: for when nobody has work, so that whoever comes first need not
    wait to be seen."""
    return only(device, view.on(device))


def only(device: str, chosen: Iterable[TaskView]) -> Only:
    """Opens the gates of ``chosen`` and closes all others on the device, those of idle tasks
    included: who comes next is decided upon before it runs."""
    return Only(device, [task.id for task in chosen])
