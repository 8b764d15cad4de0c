"""Between the gate pages and the scheduler: turns changes of pages into events, and decisions into
gates."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from giveway.daemon.figures import DECISION_BOUNDS, Busy, Histogram
from giveway.daemon.gate_log import GateLog
from giveway.daemon.host_task import CLOSED, OPEN, HostTask, read_nice
from giveway.daemon.limit import TimeLimit
from giveway.daemon.log import Log
from giveway.daemon.slack_log import SlackLog
from giveway.errors import GivewayError, PageError, UsageError
from giveway.page.decider import Change, Flags, Gate, Gates
from giveway.sched import attributes
from giveway.sched.policies.base import Policy
from giveway.sched.scheduler import Answer, Scheduler
from giveway.sched.task import (
    Active,
    Attributes,
    Changed,
    Event,
    Idle,
    Joined,
    Left,
    Only,
    Shares,
    TaskId,
    Tick,
)

P = ParamSpec("P")
T = TypeVar("T")

LEFT: Final = int(Flags.LEFT)
JOINED: Final = int(Flags.JOINED)
CHANGED: Final = int(Flags.CHANGED)
BECAME_IDLE: Final = int(Flags.BECAME_IDLE)
BECAME_ACTIVE: Final = int(Flags.BECAME_ACTIVE)
SLACK_CHANGED: Final = int(Flags.SLACK_CHANGED)
"""Plain integers, because ``&`` on an enum takes a microsecond and tasks wait meanwhile."""
MAX_TEXT: Final = 4000
"""Characters kept from the end of a traceback, where the error is."""


class Host:
    """All pages that this process decides about, with one scheduler."""

    def __init__(
        self,
        policy: Policy,
        log: Log,
        limit: TimeLimit,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.log = log
        self.scheduler = Scheduler(policy)
        self.pages: dict[str, Gates] = {}
        self.tasks: dict[TaskId, HostTask] = {}
        self.latency = Histogram(DECISION_BOUNDS)
        """The time from the daemon's wake-up to the written gates, in seconds."""
        self.busy: dict[str, Busy] = {}
        self._limit = limit
        self._gate_log = GateLog(log)
        self._slack_log = SlackLog(log, self._gate_log)
        self.clock = clock
        self._todo: dict[HostTask, Gate] = {}
        """Gates still to be written, the last value of each."""
        self._written: dict[HostTask, Gate] = {}
        """Gates written right after their decision and not yet in the log and the figures, which
        are updated after all changes have been handled."""
        self._written_ns = 0
        self._refused: set[str] = set()
        self._behind: set[str] = set()
        """Devices whose last read or write of the page failed."""

    # Pages.

    def add(self, gates: Gates) -> None:
        """Takes over the decisions about a page."""
        self.pages[gates.device] = gates
        self.busy[gates.device] = Busy()
        self.log.add("device", device=gates.device)
        try:
            self.read_changes(gates.device)
        except PageError as error:
            self.handle_page_error(gates.device, error)

    def remove(self, device: str, why: str) -> None:
        """Drops a page that can no longer be used; its tasks become ungated."""
        now = self.clock()
        for id_ in [id_ for id_ in self.tasks if id_.device == device]:
            self._leave(id_, now)
        self.pages.pop(device).leave()
        del self.busy[device]
        self._behind.discard(device)
        self.log.add("device lost", device=device, why=why)
        self._carry_out()

    def read_changes(self, device: str) -> None:
        """Reads the changes of a page, and decides.

        Raises:
            PageError: the page cannot be used.
        """
        began = self.clock()
        changes = self.pages[device].changes()
        for change in changes:
            self._apply_change(device, change, self.clock())
        if changes:
            self._carry_out()
            if self._written_ns > began:
                self.latency.add((self._written_ns - began) / 1e9)

    def tick(self) -> None:
        """Sends the due `Tick` events to the policy."""
        for _ in self.pages:  # at most one for each page, so that clients are served as well
            due = self.scheduler.next_wake()
            now = self.clock()
            if due is None or due[0] > now:
                break
            self._send(Tick(due[1]), now)
        self._carry_out()

    def seconds_to_tick(self) -> float:
        """Seconds until the next `tick` is due; an hour if none is."""
        due = self.scheduler.next_wake()
        return 3600.0 if due is None else max(0.0, (due[0] - self.clock()) / 1e9)

    def beat(self) -> None:
        """Writes the daemon's heartbeat to every page, and retries pages that failed before."""
        self._limit.sample_waiting()
        for device, gates in list(self.pages.items()):
            try:
                gates.beat()
                self._slack_log.look(gates, self.tasks.values(), self.clock())
                if device in self._behind:
                    self._behind.remove(device)
                    self.read_changes(device)
                    self._rewrite_gates(device)
            except PageError as error:
                self.handle_page_error(device, error)

    def handle_page_error(self, device: str, error: PageError) -> None:
        """Handles a failed read or write: drops a damaged page, retries any other one later."""
        try:
            self.pages[device].page.check()
        except PageError as worse:
            self.remove(device, str(worse))
        else:
            self._behind.add(device)
            self.log.add("page", device=device, why=str(error))

    def _rewrite_gates(self, device: str) -> None:
        """Writes every gate of a page."""
        here = [task for task in self.tasks.values() if task.device == device]
        for task in here:
            self._queue_gate(task, self._wanted(task))
        self._carry_out()

    # Requests of users.

    def use(self, policy: Policy) -> None:
        """Puts another policy in service."""
        before = self.scheduler.policy.name
        self._apply_answer(before, self._call_limited(self.scheduler.use, policy, self.clock()))
        if self.scheduler.policy is policy:
            self.log.add("policy", policy=policy.name, before=before)
        self._carry_out()

    def pause(self, id_: TaskId, paused: bool) -> None:
        """Pauses or resumes a task. The gate of a paused task stays closed under any policy."""
        task = self.tasks[id_]
        if task.paused is paused:
            return
        task.paused = paused
        self.log.add("paused" if paused else "resumed", **task.about)
        now = self.clock()
        if task.active:
            self._send(Idle(id_) if paused else Active(id_), now)
        self._queue_gate(task, self._wanted(task))
        self._carry_out()

    def refresh(self) -> None:
        """Reads what changes without a transition on a page: the nice values of processes."""
        now = self.clock()
        for id_ in list(self.tasks):
            self._update_attributes(id_, self.scheduler.view.tasks[id_].attributes.priority, now)
        self._carry_out()

    # From changes to events.

    def _apply_change(self, device: str, change: Change, now: int) -> None:
        flags = change.flags
        if flags & LEFT:
            self._leave(TaskId(device, change.left), now)
        if not change.ticket:
            return
        id_ = TaskId(device, change.ticket)
        if flags & JOINED:
            self._join(id_, change, now)
        task = self.tasks.get(id_)
        if task is None:
            return  # the task has joined and left meanwhile
        if flags & CHANGED:
            self._update_attributes(id_, change.priority, now)
        if flags & BECAME_IDLE:
            self._set_active(task, False, now)
        if flags & BECAME_ACTIVE:
            self._set_active(task, True, now)
        if flags & SLACK_CHANGED:
            self._gate_log.spender = task
            self._send(Shares(id_, bool(change.shares)), now)
            self._gate_log.spender = None

    def _join(self, id_: TaskId, change: Change, now: int) -> None:
        info = self.pages[id_.device].info(change.row, change.ticket)
        if info is None:
            return
        task = HostTask(
            id_,
            change.row,
            info.pid,
            info.name.decode(errors="replace"),
            bool(info.is_thread),
        )
        task.gate = task.told = CLOSED if info.gate_closed else OPEN
        self.tasks[id_] = task
        self.log.add("joined", **task.about)
        self._send(
            Joined(id_, task.pid, task.name, self._read_attributes(id_, change.priority)), now
        )
        self._queue_gate(task, self._wanted(task))

    def _leave(self, id_: TaskId, now: int) -> None:
        task = self.tasks.pop(id_, None)
        if task is not None:
            self.log.add("left", **task.about)
            task.active = False
            self._gate_log.forget(task)
            self._todo.pop(task, None)
            self._written.pop(task, None)
            self._send(Left(id_), now)

    def _set_active(self, task: HostTask, active: bool, now: int) -> None:
        task.active = active
        if not task.paused:
            self._send(Active(task.id) if active else Idle(task.id), now)
        self._update_figures(task, now)

    def _update_attributes(self, id_: TaskId, priority: int, now: int) -> None:
        before = self.scheduler.view.tasks[id_].attributes
        after = self._read_attributes(id_, priority)
        if after != before:
            about = self.tasks[id_].about
            self.log.add("attributes", **about, attributes=attributes.show(after))
            self._send(Changed(id_, after), now)

    def _read_attributes(self, id_: TaskId, priority: int) -> Attributes:
        """The attributes that users have set, with the nice value of the process as a default."""
        task = self.tasks[id_]
        result = Attributes(priority=priority, nice=read_nice(task.pid))
        try:
            text = self.pages[id_.device].page.attributes(id_.ticket)
        except (GivewayError, LookupError):  # the task has left meanwhile
            return result
        new, task.attributes_text = text != task.attributes_text, text
        for word in text.split():
            if word.startswith("priority="):
                continue  # the page has a separate field for the priority
            try:
                result = attributes.change(result, [word])
            except UsageError as error:  # from an unchecked environment variable
                if new:
                    self.log.add("attributes", **task.about, why=str(error))
        return result

    # From decisions to gates.

    def _send(self, event: Event, now: int) -> None:
        """Sends an event to the scheduler and applies its answer.

        A decision about a whole device is written first, before the bookkeeping for each task.
        """
        before = self.scheduler.policy.name
        decided = self._call_limited(self.scheduler.decide, event, now)
        if isinstance(decided, Answer):
            self._apply_answer(before, decided)
            return
        written = None
        if decided.gates is not None and self._write_all(decided.gates):
            written = decided.gates.device
        self._apply_answer(before, self.scheduler.settle(decided), written)

    def _call_limited(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T | Answer:
        """Calls a function that runs the policy, within the time limit. If the call fails, strict
        priority replaces the policy and answers."""
        try:
            return self._limit.call(function, *args, **kwargs)
        except BaseException:  # the time limit, or a policy that raises KeyboardInterrupt and such
            text = traceback.format_exc()
            answer = self.scheduler.fall_back(text, self.clock())
            # The call may have been interrupted at any point, so all gates are written again.
            there = [task for task in self.tasks.values() if task.id in self._views]
            self._todo = {task: self._wanted(task) for task in there}
            return answer

    def _write_all(self, decision: Only) -> bool:
        """Writes all gates of a device; returns False if that fails."""
        chosen = [self.tasks[id_] for id_ in decision.tasks]
        tickets, rows = [task.id.ticket for task in chosen], [task.row for task in chosen]
        try:
            self.pages[decision.device].only(tickets, rows)
        except PageError:
            return False  # `_carry_out` writes them and handles the error
        self._written_ns = self.clock()
        return True

    def _apply_answer(self, policy: str, answer: Answer, written: str | None = None) -> None:
        """Carries out the scheduler's answer; gates of device ``written`` are already written."""
        if answer.failure is not None:
            self.log.add("failed", policy=policy, traceback=answer.failure[-MAX_TEXT:])
        for refusal in answer.refusals:
            self._log_refusal(refusal.why)
        for view in answer.gates:
            task = self.tasks.get(view.id)
            if task is None or task.paused:
                continue
            gate = OPEN if view.open else CLOSED
            self._gate_log.note(task)
            if view.id.device == written:
                self._todo.pop(task, None)
                self._written[task] = gate
            else:
                self._queue_gate(task, gate)

    def _queue_gate(self, task: HostTask, gate: Gate) -> None:
        self._todo[task] = gate

    @property
    def _views(self) -> Any:
        return self.scheduler.view.tasks

    def _log_refusal(self, why: str) -> None:
        """Logs a refusal once for each policy and reason, because a faulty policy may repeat it at
        every event."""
        refusal = f"{self.scheduler.policy.name}: {why}"
        if refusal not in self._refused and len(self._refused) < 1000:
            self._refused.add(refusal)
            self.log.add("refused", policy=self.scheduler.policy.name, why=why)

    def _wanted(self, task: HostTask) -> Gate:
        if task.paused:
            return Gate.PAUSED
        return OPEN if self._views[task.id].open else CLOSED

    def _carry_out(self) -> None:
        """Writes the changed gates, a page at a time, and records them."""
        todo, self._todo = self._todo, {}
        if todo:
            for device in self.pages.copy():
                here = {task: gate for task, gate in todo.items() if task.device == device}
                self._write(device, here)
            self._written_ns = self.clock()
        now = self.clock()
        noted, self._written = self._written | todo, {}
        for task, gate in noted.items():
            self._record_gate(task, gate, now)
        self._gate_log.settle(self.scheduler.policy.name)
        for device, busy in self.busy.items():
            view = self.scheduler.view
            busy.update(any(task.running_since_ns is not None for task in view.on(device)), now)

    def _write(self, device: str, gates: Mapping[HostTask, Gate]) -> None:
        if not gates:
            return
        tickets, rows = [task.id.ticket for task in gates], [task.row for task in gates]
        try:
            self.pages[device].decide(tickets, rows, list(gates.values()))
        except PageError as error:
            self.handle_page_error(device, error)

    def _record_gate(self, task: HostTask, gate: Gate, now: int) -> None:
        if task.gate is gate or task.id not in self.tasks:
            return
        task.gate = gate
        self._update_figures(task, now)
        by = self.tasks.get(self._views[task.id].held_by)
        self._gate_log.record(task, by, self.scheduler.policy.name)

    def _update_figures(self, task: HostTask, now: int) -> None:
        task.figures.update(task.active, task.gate is OPEN, now)
