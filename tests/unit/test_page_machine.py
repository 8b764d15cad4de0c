"""The page as a state machine: whatever joins, launches, changes and leaves, in any order, each
gate is closed exactly where somebody more urgent has work."""

from __future__ import annotations

import ctypes
import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from giveway import page

priorities = st.integers(-1000, 1000) | st.integers(0, 2)
devices = (f"machine{number}" for number in itertools.count())


class TaskOptions(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("priority", ctypes.c_int),
        ("is_thread", ctypes.c_int),
    )


@dataclass(eq=False)
class Model:
    """One task as it should be."""

    handle: ctypes.c_void_p
    ticket: int
    name: str
    priority: int
    in_flight: int = 0
    launches: int = 0

    @property
    def active(self) -> bool:
        return self.in_flight > 0


class PageMachine(RuleBasedStateMachine):
    """Launches are only begun where the gate is open, so nothing here ever waits."""

    def __init__(self) -> None:
        super().__init__()
        self.lib = page.library()
        self.page = page.Page.open(next(devices), create=True)
        self.live: list[Model] = []
        self.tickets: set[int] = set()

    def closed(self, task: Model) -> bool:
        return any(other.active and other.priority > task.priority for other in self.live)

    def pick(self, number: int) -> Model:
        return self.live[number % len(self.live)]

    @rule(priority=priorities, name=st.text("abcé日", min_size=1, max_size=60))
    def join(self, priority: int, name: str) -> None:
        handle = ctypes.c_void_p()
        options = TaskOptions(name.encode(), priority, 0)
        code = self.lib.gw_join(self.page._handle, ctypes.byref(options), ctypes.byref(handle))
        if len(self.live) >= page.ROWS:
            assert code == -7
            return
        assert code == 0
        info = page.TaskInfo()
        assert self.lib.gw_task_describe(handle, ctypes.byref(info)) == 0
        assert info.ticket not in self.tickets, "a ticket was used twice"
        self.tickets.add(info.ticket)
        kept = name.encode()[:47].decode(errors="ignore")
        self.live.append(Model(handle, info.ticket, kept, priority))

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 300))
    def leave(self, number: int) -> None:
        task = self.pick(number)
        for _ in range(task.in_flight):
            self.lib.gw_end(task.handle)
        self.live.remove(task)
        self.lib.gw_leave(task.handle)

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 300))
    def begin(self, number: int) -> None:
        task = self.pick(number)
        if not self.closed(task):
            self.lib.gw_begin(task.handle)
            task.in_flight += 1
            task.launches += 1

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 300))
    def end(self, number: int) -> None:
        task = self.pick(number)
        if task.in_flight:
            task.in_flight -= 1
            self.lib.gw_end(task.handle)
            self.lib.gw_idle(task.handle)  # refused while something is in flight

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 300), priority=priorities)
    def set_priority(self, number: int, priority: int) -> None:
        task = self.pick(number)
        self.page.set_priority(task.ticket, priority)
        task.priority = priority

    @invariant()
    def the_page_shows_the_model(self) -> None:
        shown = {task.ticket: task for task in self.page.tasks()}
        assert set(shown) == {task.ticket for task in self.live}
        for task in self.live:
            seen = shown[task.ticket]
            assert (seen.name, seen.priority) == (task.name, task.priority)
            assert seen.launches == task.launches
            closed = self.closed(task)
            expected = ("held" if closed else "active") if task.active else "idle"
            assert seen.state == expected
            info = page.TaskInfo()
            self.lib.gw_task_describe(task.handle, ctypes.byref(info))
            assert bool(info.gate_closed) == closed

    def teardown(self) -> None:
        for task in self.live:
            self.lib.gw_leave(task.handle)


@pytest.fixture(autouse=True)
def declared(giveway_dir: Path) -> None:
    lib = page.library()
    lib.gw_join.argtypes = (
        ctypes.c_void_p,
        ctypes.POINTER(TaskOptions),
        ctypes.POINTER(ctypes.c_void_p),
    )
    for name in ("gw_begin", "gw_end", "gw_idle", "gw_leave"):
        getattr(lib, name).argtypes = (ctypes.c_void_p,)


def test_page_machine(declared: None) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        PageMachine,
        settings=settings(max_examples=100, stateful_step_count=60, deadline=None),
    )
