"""A promised share of the device for each task."""

from __future__ import annotations

from giveway.sched.policies import parameters
from giveway.sched.policies.base import TaskView, View
from giveway.sched.policies.fair import Fair
from giveway.sched.policies.slices import SLICE_NS
from giveway.sched.task import TaskId

PERIOD_NS = 100_000_000


class Share(Fair):
    """Each task gets at least its ``share`` of the device's time, or what it needs of it.

    The *lag* of a task is what it is owed: its share of the time that has passed, whether it had
    work or not, minus the time that it ran. The task runs that has been owed its lag for longest.
    The lag is bounded by what the share is of ``period``, in both directions: a task that rested
    for long is not owed more, and a task that had the time of others not less. Time that nobody is
    owed goes to the tasks with work, in proportion to their shares. A task counts as running until
    its idle timeout ends.

    Tasks without a share divide the unpromised time equally while they have work, at least 1 % in
    all. If more than 100 % is promised, all shares shrink in proportion. No task starves.

    Source: lag as in I. Stoica et al., "A Proportional Share Resource Allocation Algorithm for
    Real-Time, Time-Shared Systems", RTSS 1996, and Linux's scheduler since 6.6, which keep it while
    a task sleeps. Here it also grows then, up to the budget of a period, as in L. Abeni and
    G. Buttazzo, "Integrating Multimedia Applications in Hard Real-Time Systems", RTSS 1998. Tasks
    that are owed nothing run in the order of `fair`.
    """

    name = "share"

    def __init__(self, *, slice_ns: int = SLICE_NS, period_ns: int = PERIOD_NS) -> None:
        super().__init__(slice_ns=slice_ns)
        self._period_ns = parameters.time(
            "period of policy share", period_ns, 1_000_000, parameters.HOUR_NS
        )
        self._lags: dict[TaskId, float] = {}
        self._counted_ns: dict[str, int] = {}
        """Until when the tasks of a device have been given their shares."""

    def claims(self, active: list[TaskView]) -> dict[TaskId, float]:
        promised = _promised(active)
        rest = max(100 - sum(promised.values()), 1) / max(len(active) - len(promised), 1)
        return {task.id: promised.get(task.id, rest) for task in active}

    def ready(self, view: View, device: str, now: int) -> tuple[list[TaskView], int | None]:
        since = self._counted_ns.get(device, now)
        self._counted_ns[device] = now
        for task, share in _rates(view.on(device)):
            lag = self._lags.get(task.id, 0.0) + share * (now - since)
            most = max(share * self._period_ns, self.slice(task))
            self._lags[task.id] = min(max(lag, -most), most)
        return super().ready(view, device, now)

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        first = max(waiting, key=self._waited)
        return first if self._waited(first) > 0 else super().pick(waiting, now)

    def preempts(self, newcomer: TaskView, current: TaskView, now: int) -> bool:
        waited, other = self._waited(newcomer), self._waited(current)
        if waited > 0 or other > 0:
            return waited > other
        return super().preempts(newcomer, current, now)

    def charge(self, task: TaskView, ns: int) -> None:
        super().charge(task, ns)
        self._lags[task.id] = self._lags.get(task.id, 0.0) - ns

    def forget(self, task: TaskId) -> None:
        super().forget(task)
        self._lags.pop(task, None)

    def _waited(self, task: TaskView) -> float:
        """How long the task has been owed its lag, relative to its share."""
        return self._lags[task.id] / self._claims[task.id]


def _promised(tasks: list[TaskView]) -> dict[TaskId, float]:
    return {task.id: task.attributes.share for task in tasks if task.attributes.share is not None}


def _rates(tasks: tuple[TaskView, ...]) -> list[tuple[TaskView, float]]:
    """What each task of a device is owed for each unit of time; nothing without work or share."""
    promised = _promised([*tasks])
    total = sum(promised.values())
    others = [task for task in tasks if task.active and task.id not in promised]
    rest = max(100 - total, 1) / max(len(others), 1)
    whole = max(100, total + (1 if others else 0))
    shares = promised | {task.id: rest for task in others}
    return [(task, shares.get(task.id, 0.0) / whole) for task in tasks]
