"""A gate page as a Python object, and a daemon's host over it, on a clock that the test sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar, cast

from giveway.daemon.host import Host
from giveway.daemon.log import Log
from giveway.daemon.service import status
from giveway.errors import PageError
from giveway.page.decider import Change, Flags, Gate
from giveway.sched.policies.base import Policy
from giveway.sched.task import TaskId

P = ParamSpec("P")
T = TypeVar("T")

MS = 1_000_000
SECOND = 1000 * MS


class Row:
    """A task of the page: always busy, or with ``work_ns`` to do every ``period_ns``."""

    def __init__(self, ticket: int, attributes: str, work_ns: int, period_ns: int) -> None:
        self.ticket = ticket
        self.attributes = attributes
        self.priority = 0
        self.gate = Gate.OPEN
        self.active = False
        self.work_ns = work_ns
        self.period_ns = period_ns
        self.due_ns = 0
        self.left_ns = 0
        self.shares = False
        self.slack = (0, 0, 0)
        """The verdict, the speed and the tolerance of its slack, as the page has them."""
        self.beside_ns = self.contended_ns = 0
        self.done = 0
        """The number of finished jobs. A program that is always busy finishes none."""

    def info(self) -> SimpleNamespace:
        name = f"task{self.ticket}".encode()
        verdict, speed, tolerance = self.slack
        return SimpleNamespace(
            pid=os.getpid(),
            name=name,
            is_thread=0,
            gate_closed=int(self.gate is not Gate.OPEN),
            slack_verdict=verdict,
            slack_speed=speed,
            slack_tolerance=tolerance,
            slack_credit_ns=4_100_000,
            beside_ns=self.beside_ns,
            contended_ns=self.contended_ns,
        )


class VirtualPage:
    """What `giveway.page.decider.Gates` is to a host, and its own ``page``."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.page = self
        self.rows: dict[int, Row] = {}
        self.error: PageError | None = None
        """Raised by each read and write of the page."""
        self.is_lost = False
        """Whether the page is bad for good."""
        self.is_decided = True
        self._changes: list[Change] = []

    def join(
        self, attributes: str = "", work_ns: int = 0, period_ns: int = 0, priority: int = 0
    ) -> Row:
        ticket = len(self.rows) + 1
        self.rows[ticket] = Row(ticket, attributes, work_ns, period_ns)
        self.rows[ticket].priority = priority
        self.tell(self.rows[ticket], Flags.JOINED)
        if not work_ns:
            self.set_active(self.rows[ticket], True)
        return self.rows[ticket]

    def tell(self, row: Row, flags: Flags) -> None:
        left = row.ticket if flags & Flags.LEFT else 0
        self._changes.append(
            Change(row.ticket, left, row.ticket, int(flags), row.priority, row.shares)
        )

    def set_active(self, row: Row, active: bool) -> None:
        row.active = active
        self.tell(row, Flags.BECAME_ACTIVE if active else Flags.BECAME_IDLE)

    def share(self, row: Row, shares: bool) -> None:
        row.shares = shares
        self.tell(row, Flags.SLACK_CHANGED)

    def leave_row(self, row: Row) -> None:
        del self.rows[row.ticket]
        self._changes.append(Change(0, row.ticket, row.ticket, int(Flags.LEFT), 0))

    def _try(self) -> None:
        if self.error is not None:
            raise self.error

    # What a host calls.

    def changes(self) -> list[Change]:
        self._try()
        changes, self._changes = self._changes, []
        return changes

    def info(self, row: int, _ticket: int) -> SimpleNamespace | None:
        return self.rows[row].info() if row in self.rows else None

    def decide(self, _tickets: list[int], rows: list[int], gates: list[Gate]) -> None:
        self._try()
        for row, gate in zip(rows, gates, strict=True):
            if row in self.rows:
                self.rows[row].gate = gate

    def only(self, _tickets: list[int], rows: list[int]) -> None:
        self._try()
        for row in self.rows.values():
            if row.gate is not Gate.PAUSED:
                row.gate = Gate.OPEN if row.ticket in rows else Gate.CLOSED

    def beat(self) -> None:
        self._try()

    def check(self) -> None:
        if self.is_lost:
            raise PageError("it was deleted")

    def attributes(self, ticket: int) -> str:
        return self.rows[ticket].attributes

    def leave(self) -> None:
        self.is_decided = False


class NoLimit:
    """No time limit for a policy."""

    def sample_waiting(self) -> None:
        pass

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)


class Machine:
    """A host with one page, on virtual time."""

    def __init__(self, policy: Policy, limit: Any = None) -> None:
        self.now = SECOND
        self.page = VirtualPage()
        log = Log(lambda: self.now / 1e9)
        self.host = Host(policy, log, limit or cast(Any, NoLimit()), lambda: self.now)
        self.host.add(cast(Any, self.page))

    def run(self, milliseconds: int) -> None:
        """Lets time pass, a quarter of a millisecond at a time, as the daemon's loop does."""
        end = self.now + milliseconds * MS
        while self.now < end:
            self._look()
            self.host.tick()
            if self.now % (100 * MS) == 0:
                self.host.beat()
            step = MS // 4
            self.now += step
            for row in list(self.page.rows.values()):
                self._work(row, step)

    def _look(self) -> None:
        if self.page.device not in self.host.pages:
            return
        try:
            self.host.read_changes(self.page.device)
        except PageError as error:
            self.host.handle_page_error(self.page.device, error)

    def _work(self, row: Row, step: int) -> None:
        if not row.work_ns:
            return
        if row.active and row.gate is Gate.OPEN:
            row.left_ns -= step
            if row.left_ns <= 0:
                row.done += 1
                self.page.set_active(row, False)
        elif not row.active and self.now >= row.due_ns:
            row.left_ns, row.due_ns = row.work_ns, self.now + row.period_ns
            self.page.set_active(row, True)

    def events(self, *whats: str) -> list[dict[str, Any]]:
        return [event for event in self.host.log.after(0) if event["what"] in whats]

    def task(self, row: Row) -> dict[str, Any]:
        (task,) = (t for t in status(self.host)["tasks"] if t["ticket"] == row.ticket)
        return dict(task)

    def ran(self, row: Row) -> float:
        """For how many seconds the task has had work and an open gate."""
        return float(self.task(row)["running_seconds"])

    def pause(self, row: Row, paused: bool) -> None:
        self.host.pause(TaskId(self.page.device, row.ticket), paused)
