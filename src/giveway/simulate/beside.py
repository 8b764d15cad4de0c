"""A device that runs the work of several tasks at a time. Each task is as much slower as the kinds
of programs beside it make it."""

from __future__ import annotations

import math

from giveway.simulate.parts import Device, SimTask
from giveway.simulate.spend import Spending


class SideBySide(Spending):
    """Every task with launches in flight runs, one launch of its own at a time."""

    def dispatch(self, device: Device) -> None:
        self._pace(device)

    def stop(self, task: SimTask) -> None:
        self._pace(task.device)
        super().stop(task)
        task.rate = 0.0
        self._pace(task.device)

    def interrupt(self, task: SimTask) -> None:
        if not task.ready:
            return
        self._pace(task.device)
        task.in_flight -= task.queued[0]
        task.queued[0] = max(1, round(task.left))
        task.in_flight += task.queued[0]
        self._leave(task)

    def _leave(self, task: SimTask) -> None:
        task.device.ready.remove(task)
        task.ready = False
        task.rate = 0.0
        self._pace(task.device)

    def _slowdown(self, task: SimTask) -> float:
        beside = self.model.beside or {}
        kind = task.program.kind or task.program.name
        factor = 1.0
        for other in task.device.ready:
            if other is not task:
                pair = f"{kind}*{other.program.kind or other.program.name}"
                factor += beside.get(pair, 1.0) - 1
        return factor

    def _pace(self, device: Device) -> None:
        """Accounts for the work until now, and plans its ends anew: other tasks run from now on."""
        if device.began >= 0:
            device.busy_ns += max(0, self.now - max(device.began, self.warm))
        device.began = self.now if device.ready else -1
        for task in device.ready:
            self._account(task)
        for task in device.ready:
            if task.rate == 0:
                task.left, task.since = float(task.queued[0]), self.now
            task.rate = 1 / self._slowdown(task)
            self._plan(task)

    def _account(self, task: SimTask) -> None:
        if task.rate and self.now > task.since:
            task.left -= (self.now - task.since) * task.rate
            task.busy_ns += max(0, self.now - max(task.since, self.warm))
            if self.record is not None:
                self.record.ran(task, task.since, self.now)
        task.since = self.now

    def _plan(self, task: SimTask) -> None:
        ends = self.now + max(1, math.ceil(task.left / task.rate - 1e-6))
        task.ends = ends
        self.schedule(ends, self._end_launch, (task, ends))

    def _end_launch(self, planned: tuple[SimTask, int]) -> None:
        task, ends = planned
        if not task.ready or task.ends != ends or ends != self.now:
            return  # planned anew meanwhile
        self._account(task)
        task.in_flight -= task.queued.popleft()
        task.launches += self.now > self.warm
        if task.remaining and task.open:
            self.submit(task)
        if task.queued:
            task.left = float(task.queued[0])
            self._plan(task)
            return
        self._leave(task)
        if not task.remaining:
            self.finish(task)
