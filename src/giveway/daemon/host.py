"""Between the gate pages and the scheduler: what happens there becomes events here, and what is
decided here becomes gates there."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec

from giveway import attributes
from giveway.daemon.figures import DECISION_BOUNDS, Busy, Histogram, TaskFigures
from giveway.daemon.limit import TimeLimit
from giveway.daemon.log import Log
from giveway.errors import GivewayError, PageError, UsageError
from giveway.gates import Change, Flags, Gate, Gates
from giveway.policies.base import Policy
from giveway.scheduler import Answer, Scheduler
from giveway.task import (
    Active,
    Attributes,
    Changed,
    Event,
    Idle,
    Joined,
    Left,
    Only,
    TaskId,
    Tick,
)

P = ParamSpec("P")

OPEN: Final = Gate.OPEN
CLOSED: Final = Gate.CLOSED
"""Names for what is said of every task: to look it up in the enum takes as long as to write it."""
LEFT: Final = int(Flags.LEFT)
JOINED: Final = int(Flags.JOINED)
CHANGED: Final = int(Flags.CHANGED)
BECAME_IDLE: Final = int(Flags.BECAME_IDLE)
BECAME_ACTIVE: Final = int(Flags.BECAME_ACTIVE)
"""Numbers: an enum's own & takes a microsecond, and somebody waits for all of them."""
MAX_TEXT: Final = 4000
"""Characters of a traceback that are kept: its end says what happened."""


class Known:
    """A task on a page, and what only the host knows of it."""

    __slots__ = ("about", "active", "device", "figures", "gate", "id", "is_thread", "name",
                 "paused", "pid", "row", "said")  # fmt: skip

    def __init__(self, id_: TaskId, row: int, pid: int, name: str, is_thread: bool) -> None:
        self.id = id_
        self.device = id_.device
        self.row = row
        self.pid = pid
        self.name = name
        self.is_thread = is_thread
        self.about = {"device": id_.device, "pid": pid, "name": name}
        """The task in an event."""
        self.active = False
        self.paused = False
        """To the policy it is idle."""
        self.gate = OPEN
        """What the page was told last."""
        self.said = ""
        self.figures = TaskFigures()


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
        self.known: dict[TaskId, Known] = {}
        self.latency = Histogram(DECISION_BOUNDS)
        """From when the daemon woke to when the gates were written, in seconds."""
        self.busy: dict[str, Busy] = {}
        self._limit = limit
        self.clock = clock
        self._todo: dict[Known, tuple[Gate, bool]] = {}
        """Gates that are to be taken note of, and whether they are written already: the last word
        about each."""
        self._at_once: str | None = None
        """The device whose gates the answer to come is about, which are written already."""
        self._refused: set[str] = set()
        self._decided_ns = 0
        self._behind: set[str] = set()
        """Devices whose pages could not be read or written just now."""

    # Pages.

    def add(self, gates: Gates) -> None:
        """Decides about a page from now on."""
        self.pages[gates.device] = gates
        self.busy[gates.device] = Busy()
        self.log.add("device", device=gates.device)
        try:
            self.look(gates.device)
        except PageError as error:
            self.complain(gates.device, error)

    def remove(self, device: str, why: str) -> None:
        """Forgets a page that cannot be used any more; its tasks are ungated."""
        now = self.clock()
        for id_ in [id_ for id_ in self.known if id_.device == device]:
            self._leave(id_, now)
        self.pages.pop(device).leave()
        del self.busy[device]
        self._behind.discard(device)
        self.log.add("device lost", device=device, why=why)
        self._carry_out()

    def look(self, device: str) -> None:
        """Sees what has changed on a page, and decides.

        Raises:
            PageError: the page cannot be used.
        """
        began = self.clock()
        changes = self.pages[device].changes()
        for change in changes:
            self._note(device, change, self.clock())
        if changes:
            self._carry_out()
            if self._decided_ns > began:
                self.latency.add((self._decided_ns - began) / 1e9)

    def tick(self) -> None:
        """Does what the policy has asked to be woken for, where it is time."""
        for _ in self.pages:  # once for each, whatever the policy wants: there are others to serve
            due = self.scheduler.next_wake()
            now = self.clock()
            if due is None or due[0] > now:
                break
            self._tell(Tick(due[1]), now)
        self._carry_out()

    def wait(self) -> float:
        """Seconds until the next `tick` is due; more than a beat where none is."""
        due = self.scheduler.next_wake()
        return 3600.0 if due is None else max(0.0, (due[0] - self.clock()) / 1e9)

    def beat(self) -> None:
        """Says on every page that somebody decides, and makes up for what failed before."""
        self._limit.rest()
        for device, gates in list(self.pages.items()):
            try:
                gates.beat()
                if device in self._behind:
                    self._behind.remove(device)
                    self.look(device)
                    self._repeat(device)
            except PageError as error:
                self.complain(device, error)

    def complain(self, device: str, error: PageError) -> None:
        """Something could not be read or written: forgets the page, or tries again soon."""
        try:
            self.pages[device].page.check()
        except PageError as worse:
            self.remove(device, str(worse))
        else:
            self._behind.add(device)
            self.log.add("page", device=device, why=str(error))

    def _repeat(self, device: str) -> None:
        """Writes every gate of a page."""
        here = [task for task in self.known.values() if task.device == device]
        for task in here:
            self._put(task, self._wanted(task))
        self._carry_out()

    # What users ask for.

    def use(self, policy: Policy) -> None:
        """Puts another policy in service."""
        before = self.scheduler.policy.name
        self._ask(self.scheduler.use, policy, self.clock())
        if self.scheduler.policy is policy:
            self.log.add("policy", policy=policy.name, before=before)
        self._carry_out()

    def pause(self, id_: TaskId, paused: bool) -> None:
        """Closes a task's gate whatever the policy says, or no longer does."""
        task = self.known[id_]
        if task.paused is paused:
            return
        task.paused = paused
        self.log.add("paused" if paused else "resumed", **task.about)
        now = self.clock()
        if task.active:
            self._tell(Idle(id_) if paused else Active(id_), now)
        self._put(task, self._wanted(task))
        self._carry_out()

    def refresh(self) -> None:
        """Looks at what no transition tells of: the nice values of processes."""
        now = self.clock()
        for id_ in list(self.known):
            self._changed(id_, self.scheduler.view.tasks[id_].attributes.priority, now)
        self._carry_out()

    # From changes to events.

    def _note(self, device: str, change: Change, now: int) -> None:
        flags = change.flags
        if flags & LEFT:
            self._leave(TaskId(device, change.left), now)
        if not change.ticket:
            return
        id_ = TaskId(device, change.ticket)
        if flags & JOINED:
            self._join(id_, change, now)
        task = self.known.get(id_)
        if task is None:
            return  # it came and went
        if flags & CHANGED:
            self._changed(id_, change.priority, now)
        if flags & BECAME_IDLE:
            self._set_active(task, False, now)
        if flags & BECAME_ACTIVE:
            self._set_active(task, True, now)

    def _join(self, id_: TaskId, change: Change, now: int) -> None:
        info = self.pages[id_.device].info(change.row, change.ticket)
        if info is None:
            return
        task = Known(
            id_,
            change.row,
            info.pid,
            info.name.decode(errors="replace"),
            bool(info.is_thread),
        )
        task.gate = CLOSED if info.gate_closed else OPEN
        self.known[id_] = task
        self.log.add("joined", **task.about)
        self._tell(Joined(id_, task.pid, task.name, self._attributes(id_, change.priority)), now)
        self._put(task, self._wanted(task))

    def _leave(self, id_: TaskId, now: int) -> None:
        task = self.known.pop(id_, None)
        if task is not None:
            self.log.add("left", **task.about)
            self._todo.pop(task, None)
            self._tell(Left(id_), now)

    def _set_active(self, task: Known, active: bool, now: int) -> None:
        task.active = active
        if not task.paused:
            self._tell(Active(task.id) if active else Idle(task.id), now)
        self._see(task, now)

    def _changed(self, id_: TaskId, priority: int, now: int) -> None:
        before = self.scheduler.view.tasks[id_].attributes
        after = self._attributes(id_, priority)
        if after != before:
            about = self.known[id_].about
            self.log.add("attributes", **about, attributes=attributes.show(after))
            self._tell(Changed(id_, after), now)

    def _attributes(self, id_: TaskId, priority: int) -> Attributes:
        """Those that were said, with what the system says where nothing was."""
        task = self.known[id_]
        result = Attributes(priority=priority, nice=_nice(task.pid))
        try:
            said = self.pages[id_.device].page.attributes(id_.ticket)
        except (GivewayError, LookupError):  # it has left meanwhile
            return result
        new, task.said = said != task.said, said
        for word in said.split():
            if word.startswith("priority="):
                continue  # it has a place of its own
            try:
                result = attributes.change(result, [word])
            except UsageError as error:  # from an environment that nobody checked
                if new:
                    self.log.add("attributes", **task.about, why=str(error))
        return result

    # From decisions to gates.

    def _tell(self, event: Event, now: int) -> None:
        self._ask(self.scheduler.handle, event, now, self._only)

    def _only(self, decision: Only) -> None:
        """Sets the gates of a device before anybody takes note of each."""
        chosen = [self.known[id_] for id_ in decision.tasks]
        tickets, rows = [task.id.ticket for task in chosen], [task.row for task in chosen]
        try:
            self.pages[decision.device].only(tickets, rows)
        except PageError:
            return  # they are written with the others, who will see what is wrong
        self._at_once = decision.device
        self._decided_ns = self.clock()

    def _ask(self, function: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> None:
        before = self.scheduler.policy.name
        try:
            answer = self._limit.call(function, *args, **kwargs)
        except BaseException:  # too slow, or a policy that raises what is meant for others
            text = traceback.format_exc()
            answer = self.scheduler.fall_back(text, self.clock())
            # It may have been interrupted anywhere: what was decided last is no longer known.
            there = [task for task in self.known.values() if task.id in self._views]
            self._todo = {task: (self._wanted(task), False) for task in there}
            self._at_once = None
        if answer.failure is not None:
            self.log.add("failed", policy=before, traceback=answer.failure[-MAX_TEXT:])
        for refusal in answer.refusals:
            self._refuse(refusal.why)
        for view in answer.gates:
            task = self.known.get(view.id)
            if task is not None and not task.paused:
                written = view.id.device == self._at_once
                self._put(task, OPEN if view.open else CLOSED, written)
        self._at_once = None

    def _put(self, task: Known, gate: Gate, written: bool = False) -> None:
        self._todo[task] = gate, written

    @property
    def _views(self) -> Any:
        return self.scheduler.view.tasks

    def _refuse(self, why: str) -> None:
        """Once for each policy and reason: some are wrong all the time."""
        said = f"{self.scheduler.policy.name}: {why}"
        if said not in self._refused and len(self._refused) < 1000:
            self._refused.add(said)
            self.log.add("refused", policy=self.scheduler.policy.name, why=why)

    def _wanted(self, task: Known) -> Gate:
        if task.paused:
            return Gate.PAUSED
        return OPEN if self._views[task.id].open else CLOSED

    def _carry_out(self) -> None:
        """Writes the gates that are to be different, a page at a time."""
        todo, self._todo = self._todo, {}
        unwritten = {task: gate for task, (gate, written) in todo.items() if not written}
        if unwritten:
            for device in self.pages.copy():
                here = {task: gate for task, gate in unwritten.items() if task.device == device}
                self._write(device, here)
            self._decided_ns = self.clock()
        now = self.clock()
        for task, (gate, _) in todo.items():
            self._wrote(task, gate, now)
        for device, busy in self.busy.items():
            view = self.scheduler.view
            busy.see(any(task.running_since_ns is not None for task in view.on(device)), now)

    def _write(self, device: str, gates: Mapping[Known, Gate]) -> None:
        if not gates:
            return
        tickets, rows = [task.id.ticket for task in gates], [task.row for task in gates]
        try:
            self.pages[device].decide(tickets, rows, list(gates.values()))
        except PageError as error:
            self.complain(device, error)

    def _wrote(self, task: Known, gate: Gate, now: int) -> None:
        if task.gate is gate or task.id not in self.known:
            return
        task.gate = gate
        self._see(task, now)
        if task.active:
            by = self.known.get(self._views[task.id].held_by)
            self.log.add(
                "opened" if gate is OPEN else "held",
                **task.about,
                by=None if by is None else by.about,
                why=self.scheduler.policy.name,
            )

    def _see(self, task: Known, now: int) -> None:
        task.figures.see(task.active, task.gate is OPEN, now)


def _nice(pid: int) -> int:
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return 0
