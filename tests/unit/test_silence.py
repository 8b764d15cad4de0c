"""Which time of a silent daemon counts: what it works or sleeps, not what it cannot help."""

from __future__ import annotations

import pytest

from giveway.daemon.silence import Schedule, Silence

LOOK = 0.5


class Process:
    """What the kernel would say of it."""

    def __init__(self) -> None:
        self.seen = Schedule("S", 1.0, 1.0)
        self.silence = Silence(1, lambda _pid: self.seen)

    def pass_time(self, state: str, worked: float = 0.0, waited: float = 0.0) -> float:
        """One look later: for how long it has been silent."""
        before = self.seen.worked
        work = None if before is None else before + worked
        self.seen = Schedule(state, work, self.seen.waited + waited)
        self.silence.add(LOOK)
        return self.silence.seconds


def test_to_have_no_core_is_no_silence() -> None:
    process = Process()
    for _ in range(100):
        assert process.pass_time("R") == 0


def test_a_wait_that_has_ended_is_no_silence_either() -> None:
    process = Process()
    for _ in range(10):
        process.pass_time("R")
    assert process.pass_time("S", worked=0.001, waited=10 * LOOK) == 0
    assert process.pass_time("S", waited=LOOK - 0.01) == pytest.approx(0.01)


def test_work_and_sleep_are_silence() -> None:
    process = Process()
    assert process.pass_time("R", worked=LOOK) == pytest.approx(LOOK)
    assert process.pass_time("S") == pytest.approx(2 * LOOK)
    assert process.pass_time("D") == pytest.approx(3 * LOOK)


def test_work_on_half_a_core_takes_twice_as_long() -> None:
    process = Process()
    for count in range(1, 9):
        assert process.pass_time("R", worked=LOOK / 2, waited=LOOK / 2) == count * LOOK / 2


@pytest.mark.parametrize("state", ["T", "t"])
def test_to_be_stopped_is_no_silence(state: str) -> None:
    assert Process().pass_time(state) == 0


def test_a_suspended_machine_is_one_look() -> None:
    assert Process().pass_time("R", worked=1000.0) == LOOK


def test_a_sign_ends_it() -> None:
    process = Process()
    process.pass_time("S")
    process.silence.end()
    assert process.pass_time("S") == LOOK


def test_where_nobody_counts_each_look_is_silence() -> None:
    process = Process()
    process.seen = Schedule("R", None, 0.0)
    assert process.pass_time("R") == LOOK
