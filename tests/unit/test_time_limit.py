"""The daemon's time limit for policies, on virtual time: when a tick interrupts a call."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from giveway.daemon import limit
from giveway.daemon.limit import TICK_SECONDS, TimeLimit, TooSlowError


class Machine:
    """The clocks of a thread, and the timer that sends ticks to the thread."""

    def __init__(self) -> None:
        self.now = 100.0
        self.worked = 0.0
        self.waited: float | None = 0.0
        self.timer = 0.0
        self.tick: Callable[[int, None], None] = lambda _number, _frame: None

    def sleep(self, seconds: float) -> None:
        """Every tick comes."""
        for _ in range(round(seconds / TICK_SECONDS)):
            self.now += TICK_SECONDS
            self.tick(14, None)

    def work(self, seconds: float) -> None:
        """Inside C code: the ticks come as one, at its end."""
        self.now += seconds
        self.worked += seconds
        self.tick(14, None)

    def wait_for_a_core(self, seconds: float) -> None:
        """Where the kernel counts that, `waited` is how long."""
        self.now += seconds
        if self.waited is not None:
            self.waited += seconds
        self.tick(14, None)

    def stop(self, seconds: float) -> None:
        self.now += seconds
        self.tick(14, None)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()

    def setitimer(_which: int, first: float, _interval: float = 0.0) -> None:
        machine.timer = first

    def handle(_number: int, tick: Callable[[int, None], None]) -> None:
        machine.tick = tick

    clocks = SimpleNamespace(monotonic=lambda: machine.now, thread_time=lambda: machine.worked)
    signals = SimpleNamespace(SIGALRM=14, ITIMER_REAL=0, signal=handle, setitimer=setitimer)
    monkeypatch.setattr(limit, "time", clocks)
    monkeypatch.setattr(limit, "signal", signals)
    monkeypatch.setattr(limit, "atexit", SimpleNamespace(register=lambda *_: None))
    monkeypatch.setattr(limit, "_waited", lambda: machine.waited)
    return machine


def test_a_sleep_is_interrupted_at_the_first_tick_past_the_limit(machine: Machine) -> None:
    with pytest.raises(TooSlowError, match="longer than 50 ms"):
        TimeLimit().call(machine.sleep, 0.2)
    assert machine.now == pytest.approx(100.06)


def test_a_short_sleep_is_not(machine: Machine) -> None:
    TimeLimit().call(machine.sleep, 0.04)
    assert machine.now == pytest.approx(100.04)


def test_work_counts_whether_or_not_its_ticks_came(machine: Machine) -> None:
    time_limit = TimeLimit()
    time_limit.call(machine.work, 0.044)
    with pytest.raises(TooSlowError):
        time_limit.call(machine.work, 0.046)


def test_to_have_no_core_is_no_fault(machine: Machine) -> None:
    time_limit = TimeLimit()
    time_limit.call(machine.wait_for_a_core, 10.0)
    time_limit.sample_waiting()
    with pytest.raises(TooSlowError):
        time_limit.call(machine.work, 0.05)


def test_to_have_a_core_now_and_then_is_no_fault(machine: Machine) -> None:
    def wait() -> None:
        for _ in range(100):
            machine.wait_for_a_core(TICK_SECONDS)

    TimeLimit().call(wait)


def test_what_was_waited_before_a_call_is_no_excuse(machine: Machine) -> None:
    time_limit = TimeLimit()
    machine.wait_for_a_core(10.0)
    time_limit.sample_waiting()
    with pytest.raises(TooSlowError):
        time_limit.call(machine.sleep, 0.2)


def test_where_nobody_counts_the_waiting_the_limit_is_longer(machine: Machine) -> None:
    machine.waited = None
    time_limit = TimeLimit()
    time_limit.call(machine.sleep, 0.16)
    with pytest.raises(TooSlowError):
        time_limit.call(machine.sleep, 0.2)


def test_to_be_stopped_is_no_fault(machine: Machine) -> None:
    TimeLimit().call(machine.stop, 10.0)


def test_the_timer_runs_while_it_is_used_and_one_period_longer(machine: Machine) -> None:
    time_limit = TimeLimit()
    assert machine.timer == 0
    time_limit.call(max, 1, 2)
    assert machine.timer == TICK_SECONDS
    machine.sleep(TICK_SECONDS)
    assert machine.timer == TICK_SECONDS
    machine.sleep(TICK_SECONDS)
    assert machine.timer == 0
    time_limit.call(max, 1, 2)
    assert machine.timer == TICK_SECONDS
