"""Logs which gates opened and closed, and why.

For slack, gates open and close hundreds of times a second. These blocks are counted, and the log
says when others run nearly all the time beside a task, and when they do no longer.
"""

from __future__ import annotations

from typing import Any

from giveway.daemon.host_task import OPEN, HostTask
from giveway.daemon.log import Log
from giveway.page.decider import Gate


class GateLog:
    def __init__(self, log: Log) -> None:
        self._log = log
        self.spender: HostTask | None = None
        """The task whose slack is being decided about."""
        self._due_to: dict[HostTask, HostTask] = {}
        """Tasks whose new gates are due to the slack of another task."""
        self._beside: dict[HostTask, HostTask] = {}
        """Tasks whose gates open and close for the slack of another task, which has work."""
        self._opened: set[HostTask] = set()
        """The tasks with slack for which gates have opened."""

    def note(self, task: HostTask) -> None:
        """The task's gate is to change."""
        if self.spender is not None:
            self._due_to[task] = self.spender
        elif self._due_to:
            self._due_to.pop(task, None)

    def record(self, task: HostTask, by: HostTask | None, policy: str) -> None:
        """The task's gate has changed."""
        spender = self._due_to.get(task)
        if not task.active:
            task.told = task.gate
        elif spender is None:
            self._beside.pop(task, None)
            if task.gate is not OPEN or task.told is not OPEN:
                self._add(task, task.gate, by, policy)
        else:
            self._beside[task] = spender
            if task.gate is OPEN:
                self._opened.add(spender)

    def settle(self, policy: str) -> None:
        """All changes have been recorded: counts blocks once, however many gates open in them, and
        logs the gates that stay open because the task with the slack has no more work."""
        self._due_to.clear()
        for spender in self._opened:
            spender.slack.blocks += 1
        self._opened.clear()
        for task, spender in list(self._beside.items()):
            if not spender.active:
                del self._beside[task]
                self._tell(task, task.gate, None, policy)
                task.told = task.gate

    def forget(self, task: HostTask) -> None:
        """The task has left."""
        self._beside.pop(task, None)

    def tell(self, spender: HostTask, gate: Gate, why: str) -> None:
        """Others run nearly all the time beside the task, or no longer."""
        for task in [task for task, of in self._beside.items() if of is spender]:
            self._tell(task, gate, spender, why)
            if task.told is task.gate:
                del self._beside[task]  # until the next block

    def _tell(self, task: HostTask, gate: Gate, by: HostTask | None, why: str) -> None:
        if task.told is not gate and task.active and not task.paused:
            self._add(task, gate, by, why)

    def _add(self, task: HostTask, gate: Gate, by: HostTask | None, why: str) -> None:
        task.told = gate
        fields: dict[str, Any] = {**task.about, "by": None if by is None else by.about}
        if by is not None and by.slack.last:
            fields["slack"] = by.slack.last
        self._log.add("opened" if gate is OPEN else "held", **fields, why=why)
