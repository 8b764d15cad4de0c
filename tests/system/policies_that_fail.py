"""Policies as users may write them, on a bad day. Each behaves until a task has become active a few
times."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from giveway.sched.policies import Policy
from giveway.sched.policies.base import View
from giveway.sched.task import Active, Close, Event, Open, TaskId, WakeAt


class Late(Policy):
    """Goes wrong at the tenth `Active`."""

    def __init__(self) -> None:
        self.seen = 0

    def decide(self, event: Event, view: View, now: int) -> Iterable[Any]:
        self.seen += isinstance(event, Active)
        return self.fail() if self.seen >= 10 else []

    def fail(self) -> Any:
        raise NotImplementedError


class Raises(Late):
    name = "raises"

    def fail(self) -> Any:
        raise RuntimeError("no idea")


class Loops(Late):
    name = "loops"

    def fail(self) -> Any:
        while True:
            pass


class Sleeps(Late):
    name = "sleeps"

    def fail(self) -> Any:
        time.sleep(1000)


class Exits(Late):
    name = "exits"

    def fail(self) -> Any:
        raise SystemExit(3)


class Interrupts(Late):
    name = "interrupts"

    def fail(self) -> Any:
        raise KeyboardInterrupt


class LoopsInC(Late):
    name = "loops-in-c"

    def fail(self) -> Any:
        return sum(range(10**15))


class WrongType(Late):
    name = "wrong-type"

    def fail(self) -> Any:
        return 7


class Nonsense(Late):
    """Each decision of this policy is refused, and the policy stays in service."""

    name = "nonsense"

    def fail(self) -> Any:
        return ["open", None, Open("cpu"), Close(TaskId("cpu", 999_999))]  # type: ignore[arg-type]


class AllClosed(Late):
    """Closes all gates without a task that runs, which the scheduler refuses."""

    name = "all-closed"

    def decide(self, event: Event, view: View, now: int) -> Iterable[Any]:
        return [Close(task.id) for task in view.on(event.device)]


class Sleepless(Policy):
    """Wants to be woken all the time."""

    name = "sleepless"

    def decide(self, event: Event, view: View, now: int) -> Iterable[Any]:
        return [WakeAt(event.device, now)]
