"""What policies have in common that let one task of a device run at a time, each for a slice."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from giveway.sched.policies.base import Policy, TaskView, View, everyone, only
from giveway.sched.task import Active, Decision, Event, Left, TaskId, WakeAt

SLICE_NS = 5_000_000
"""Long: what is still in flight from the turn before (500 µs) is a small part of it."""


@dataclass(slots=True)
class Turn:
    task: TaskView
    ends_ns: int
    charged_ns: int
    """What the task had used when it was last told of it."""


class Turns(Policy):
    """One task at a time. A subclass picks who is next, and may say who need not wait for that."""

    def __init__(self, *, slice_ns: int = SLICE_NS) -> None:
        self._slice_ns = slice_ns
        self._turns: dict[str, Turn] = {}
        self._places: dict[TaskId, int] = {}
        self._next_place = 0

    @abstractmethod
    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        """Who has the next turn; ``waiting`` is not empty."""

    def ready(self, view: View, device: str, now: int) -> tuple[list[TaskView], int | None]:
        """The tasks with work that may have a turn, and when others may without an event."""
        return view.active(device), None

    def preempts(self, newcomer: TaskView, current: TaskView, now: int) -> bool:
        """Whether the turn of ``current`` ends before its time, for one that has become active."""
        return False

    def ran(self, task: TaskView, ns: int) -> None:
        """The task has run for so long since the last time."""

    def forget(self, task: TaskId) -> None:
        """The task has left."""
        self._places.pop(task, None)

    def slice(self, task: TaskView) -> int:
        """How long a turn of the task is, in nanoseconds."""
        return task.attributes.slice_ns or self._slice_ns

    def place(self, task: TaskView) -> int:
        """Its place in the queue: behind all that were there when it became active or last ran."""
        return self._places[task.id]

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        device = event.device
        active = view.active(device)
        turn = self._turns.get(device)
        if turn is not None:
            used = turn.task.used(now)
            self.ran(turn.task, used - turn.charged_ns)
            turn.charged_ns = used
        if isinstance(event, Active):
            self._to_the_end(event.task)
        elif isinstance(event, Left):
            self.forget(event.task)
        ready, again_ns = self.ready(view, device, now)
        if not ready:
            self._turns.pop(device, None)
            gates = only(device, ()) if active else everyone(view, device)
            return [gates, WakeAt(device, again_ns)]
        newcomer = view.tasks[event.task] if isinstance(event, Active) else None
        if (
            turn is None
            or turn.task not in ready
            or now >= turn.ends_ns
            or (newcomer is not None and self.preempts(newcomer, turn.task, now))
        ):
            if turn is not None and turn.task.active:
                self._to_the_end(turn.task.id)
            chosen = self.pick(ready, now)
            turn = Turn(chosen, now + self.slice(chosen), chosen.used(now))
            self._turns[device] = turn
        if again_ns is not None:
            again_ns = min(turn.ends_ns, again_ns)
        elif len(ready) > 1:  # alone it needs no end: who comes next finds its slice used up
            again_ns = turn.ends_ns
        return [only(device, (turn.task,)), WakeAt(device, again_ns)]

    def _to_the_end(self, task: TaskId) -> None:
        self._places[task] = self._next_place
        self._next_place += 1
