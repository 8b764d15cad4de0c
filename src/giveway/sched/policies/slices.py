"""The base of time-slicing policies: one task of a device runs at a time, each for a slice."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from giveway.sched.policies import parameters
from giveway.sched.policies.base import Policy, TaskView, View, everyone, only
from giveway.sched.task import Active, Decision, Event, Left, TaskId, WakeAt

MIN_SLICE_NS = 100_000
SLICE_NS = 5_000_000
"""Long compared with the work that may still be in flight from the slice before (500 µs)."""


@dataclass(slots=True)
class Slice:
    """The current time slice of a device."""

    task: TaskView
    ends_ns: int
    charged_ns: int
    """The used time of the task up to which it has been charged."""


class TimeSliced(Policy):
    """One task at a time. A subclass picks the next task, and may let a newcomer preempt."""

    def __init__(self, *, slice_ns: int = SLICE_NS) -> None:
        self._slice_ns = parameters.time(
            f"slice of policy {self.name}", slice_ns, MIN_SLICE_NS, parameters.HOUR_NS
        )
        self._slices: dict[str, Slice] = {}
        self._places: dict[TaskId, int] = {}
        self._next_place = 0

    @abstractmethod
    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        """The task that gets the next slice; ``waiting`` is not empty."""

    def ready(self, view: View, device: str, now: int) -> tuple[list[TaskView], int | None]:
        """The tasks that may get a slice, and when that may change without an event."""
        return view.active(device), None

    def preempts(self, newcomer: TaskView, current: TaskView, now: int) -> bool:
        """Whether the slice of ``current`` ends early for a task that has just become active."""
        return False

    def charge(self, task: TaskView, ns: int) -> None:
        """Charges a task for ``ns`` nanoseconds that it has run since the last call."""

    def forget(self, task: TaskId) -> None:
        """Drops all state of a task that has left."""
        self._places.pop(task, None)

    def slice(self, task: TaskView) -> int:
        """The length of a slice of the task, in nanoseconds."""
        return task.attributes.slice_ns or self._slice_ns

    def queue_position(self, task: TaskView) -> int:
        """The position of the task in the queue. A task goes to the end when it becomes active, and
        when its slice ends."""
        return self._places[task.id]

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        device = event.device
        active = view.active(device)
        current = self._slices.get(device)
        if current is not None:
            used = current.task.used(now)
            self.charge(current.task, used - current.charged_ns)
            current.charged_ns = used
        if isinstance(event, Active):
            self._move_to_end(event.task)
        elif isinstance(event, Left):
            self.forget(event.task)
        ready, again_ns = self.ready(view, device, now)
        if not ready:
            self._slices.pop(device, None)
            gates = only(device, ()) if active else everyone(view, device)
            return [gates, WakeAt(device, again_ns)]
        newcomer = view.tasks[event.task] if isinstance(event, Active) else None
        if (
            current is None
            or current.task not in ready
            or now >= current.ends_ns
            or (newcomer is not None and self.preempts(newcomer, current.task, now))
        ):
            if current is not None and current.task.active:
                self._move_to_end(current.task.id)
            chosen = self.pick(ready, now)
            current = Slice(chosen, now + self.slice(chosen), chosen.used(now))
            self._slices[device] = current
        if again_ns is not None:
            again_ns = min(current.ends_ns, again_ns)
        elif len(ready) > 1:  # a task alone needs no timer: a newcomer finds the slice over
            again_ns = current.ends_ns
        return [only(device, (current.task,)), WakeAt(device, again_ns)]

    def _move_to_end(self, task: TaskId) -> None:
        self._places[task] = self._next_place
        self._next_place += 1
