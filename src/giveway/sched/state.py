"""The state of all tasks: the view that policies have, with the operations that change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from giveway.sched.policies.base import TaskView, View
from giveway.sched.task import Changed, Joined, Shares, TaskId

Wanted: TypeAlias = dict[TaskView, tuple[bool, TaskId | None]]
"""For each task, whether its gate is to be open, and the task for which it waits otherwise."""
OPEN: Final[tuple[bool, TaskId | None]] = (True, None)

_Key = TypeVar("_Key")


def _setter(name: str) -> Callable[[TaskView, object], None]:
    """The setter of an attribute of `TaskView`, which is frozen for policies.

    The slot's own setter: object.__setattr__ takes twice as long, and an event may change hundreds
    of tasks.
    """
    setter: Callable[[TaskView, object], None] = TaskView.__dict__[name].__set__
    return setter


put_active = _setter("active")
_put_attributes = _setter("attributes")
_put_shares = _setter("shares")
_put_held_by = _setter("held_by")
_put_open = _setter("open")
_put_running_since = _setter("running_since_ns")
_put_since = _setter("since_ns")
_put_used = _setter("used_ns")


class World(View):
    """The view, with the operations that change it."""

    def join(self, event: Joined, now: int) -> None:
        id_ = event.task
        if id_ in self._tasks:
            raise ValueError(f"{id_} joins twice")
        task = TaskView(
            id_, event.pid, event.name, event.attributes, False, True, None, now, 0, None
        )
        self._tasks[id_] = task
        self._by_device[id_.device] = (*self.on(id_.device), task)
        self._by_pid[task.pid] = (*self.of(task.pid), task)

    def leave(self, task: TaskView, now: int) -> None:
        self.set_active(task, False, now)  # for a policy that keeps the object
        del self._tasks[task.id]
        _drop(self._by_device, task.id.device, task)
        _drop(self._by_pid, task.pid, task)

    def set_active(self, task: TaskView, active: bool, now: int) -> None:
        """Records whether a task has work from ``now`` on."""
        if active is not task.active:
            put_active(task, active)
            _put_since(task, now)
            _account(task, now)

    def change(self, task: TaskView, event: Changed | Shares) -> bool:
        """Records new attributes, or whether the task shares; returns whether they differ."""
        if isinstance(event, Shares):
            differs = event.shares is not task.shares
            _put_shares(task, event.shares)
        else:
            differs = event.attributes != task.attributes
            _put_attributes(task, event.attributes)
        return differs

    def carry_out(self, gates: Wanted, now: int) -> list[TaskView]:
        """Sets the gates of tasks; returns the tasks whose gates have changed."""
        changed = []
        for task, (is_open, holder) in gates.items():
            if holder != task.held_by:
                _put_held_by(task, holder)
            if is_open is not task.open:
                _put_open(task, is_open)
                _account(task, now)
                changed.append(task)
        return changed


def _account(task: TaskView, now: int) -> None:
    """Adds the run that ends now to the used time, and starts the next run if the task may run."""
    since = task.running_since_ns
    if since is not None:
        _put_used(task, task.used_ns + now - since)
    _put_running_since(task, now if task.active and task.open else None)


def _drop(index: dict[_Key, tuple[TaskView, ...]], key: _Key, task: TaskView) -> None:
    index[key] = tuple(other for other in index[key] if other is not task)
    if not index[key]:
        del index[key]
