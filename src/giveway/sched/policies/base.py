"""The interface of a policy, and its view of all tasks.

A policy receives events and returns decisions. It has no clock, thread, file or connection: the
caller passes ``now`` in. The same object therefore runs in a daemon and in a simulation.
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
    """The current state of one task, for policies.

    The object stays the same for the lifetime of the task. Only the scheduler changes it.
    """

    id: TaskId
    pid: int
    name: str
    attributes: Attributes
    active: bool
    """Whether the task has work."""
    open: bool
    """Whether the gate of the task is open."""
    held_by: TaskId | None
    """The task for which the gate was closed, where the policy named one."""
    since_ns: int
    """When the task last became active or idle."""
    used_ns: int
    """How long the task has run (been active with an open gate), without the current run."""
    running_since_ns: int | None
    """When the current run began; None: the task does not run."""

    shares: bool = False
    """Whether the task wants less urgent tasks to run beside it now."""

    def used(self, now: int) -> int:
        """How long the task has run until ``now``, in nanoseconds. A change of policy does not
        reset this time."""
        since = self.running_since_ns
        return self.used_ns if since is None else self.used_ns + now - since


class View:
    """All tasks, for policies."""

    def __init__(self) -> None:
        self._tasks: dict[TaskId, TaskView] = {}
        self._by_device: dict[str, tuple[TaskView, ...]] = {}
        self._by_pid: dict[int, tuple[TaskView, ...]] = {}
        self.tasks: Mapping[TaskId, TaskView] = MappingProxyType(self._tasks)

    @property
    def devices(self) -> Collection[str]:
        """The devices that have at least one task."""
        return self._by_device.keys()

    def on(self, device: str) -> tuple[TaskView, ...]:
        """The tasks of a device, in the order in which they joined."""
        return self._by_device.get(device, ())

    def of(self, pid: int) -> tuple[TaskView, ...]:
        """The tasks of a process, on all devices, in the order in which they joined."""
        return self._by_pid.get(pid, ())

    def has_work(self, task: TaskId | None) -> bool:
        """Whether the task exists and is active."""
        return task is not None and task in self._tasks and self._tasks[task].active

    def active(self, device: str) -> list[TaskView]:
        """The tasks of a device that have work, in the order in which they joined."""
        return [task for task in self.on(device) if task.active]


class Policy(ABC):
    """Decides which tasks may run. A subclass has a name and returns decisions for each event.

    Parameters that users may set (``--policy edf,k=2``) are keyword arguments of ``__init__`` with
    a default, annotated ``int``, ``float`` or ``str``. For a parameter whose name ends in ``_ns``
    users write a time (``slice=2ms`` for ``slice_ns``).
    """

    name: ClassVar[str]

    @abstractmethod
    def decide(self, event: Event, view: View, now: int) -> Iterable[Decision]:
        """The decisions that follow from an event.

        Args:
            event: the event; ``event.device`` is its device. A policy that takes over first gets a
                `Joined` event for every existing task, then an `Active` event for every active one.
            view: all tasks after the event. A task that left is no longer in it.
            now: nanoseconds on the monotonic clock; never decreases.

        Returns:
            Decisions, possibly as a generator. The last decision about each task counts; a gate
            without a decision keeps its state. The scheduler refuses invalid decisions. If this
            method raises, the scheduler continues with strict priority.
        """


def everyone(view: View, device: str) -> Only:
    """Opens every gate of a device. For a device without work: the first task that launches then
    does not have to wait for a decision."""
    return only(device, view.on(device))


def only(device: str, chosen: Iterable[TaskView]) -> Only:
    """Opens the gates of ``chosen`` and closes all others on the device.

    The gates of idle tasks are closed too, so that no task runs before a decision about it.
    """
    return Only(device, [task.id for task in chosen])
