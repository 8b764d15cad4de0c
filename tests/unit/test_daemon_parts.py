"""The daemon's small parts, without a daemon."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from giveway.cli.events import line
from giveway.daemon.figures import Busy, Histogram, TaskFigures
from giveway.daemon.limit import TimeLimit, TooSlowError
from giveway.daemon.log import KEPT, Log
from giveway.daemon.metrics import parse_address
from giveway.errors import UsageError


def test_the_log_knows_the_last_events() -> None:
    log = Log()
    for number in range(KEPT + 10):
        log.add("held", number=number)
    assert log.last == KEPT + 10
    assert [event["number"] for event in log.after(log.last - 2)] == [KEPT + 8, KEPT + 9]
    assert len(list(log.after(0))) == KEPT
    assert list(log.after(log.last)) == []
    assert list(log.after(log.last + 5)) == []


def test_a_histogram_counts_a_value_below_the_first_bound_that_is_not_less() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 3.0):
        histogram.add(value)
    assert histogram.to_json() == {"bounds": [1.0, 2.0], "counts": [2, 1, 1], "sum": 6.0}


def test_a_task_waits_while_it_has_work_and_a_closed_gate() -> None:
    figures = TaskFigures()
    figures.see(True, True, 0)
    figures.see(True, False, 1_000_000)
    figures.see(True, True, 4_000_000)
    figures.see(False, True, 9_000_000)
    figures.see(False, False, 10_000_000)
    assert figures.waits.to_json()["sum"] == pytest.approx(0.003)
    assert figures.bursts.to_json()["sum"] == pytest.approx(0.009)
    assert sum(figures.waits.to_json()["counts"]) == 1


def test_a_device_is_busy_while_somebody_runs() -> None:
    busy = Busy()
    busy.see(True, 0)
    busy.see(True, 1_000_000_000)
    busy.see(False, 2_000_000_000)
    assert busy.seconds(9_000_000_000) == 2.0


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def ignore_errors() -> None:
    while True:
        with contextlib.suppress(Exception):
            spin()


@pytest.fixture(scope="module")
def limit() -> TimeLimit:
    return TimeLimit()


@pytest.mark.parametrize("endless", [spin, sleep, ignore_errors])
def test_what_takes_too_long_is_interrupted(limit: TimeLimit, endless: Callable[[], None]) -> None:
    limit.rest()
    with pytest.raises(TooSlowError, match="longer than 50 ms"):
        limit.call(endless)


def test_what_takes_a_little_too_long_is_interrupted(limit: TimeLimit) -> None:
    def in_one_of_several() -> None:
        for _ in range(10):  # the ticks that see a sleep may come late on a busy machine
            limit.rest()
            limit.call(time.sleep, 0.09)

    with pytest.raises(TooSlowError, match="longer than 50 ms"):
        in_one_of_several()


def test_what_does_not_is_not(limit: TimeLimit) -> None:
    assert limit.call(max, 1, 2) == 2
    sleep_past_the_limit = time.monotonic() + 0.3
    while time.monotonic() < sleep_past_the_limit:
        pass


def test_its_timer_does_not_wake_who_calls_nothing(limit: TimeLimit) -> None:
    limit.call(max, 1, 2)
    assert signal.getitimer(signal.ITIMER_REAL)[1] > 0
    give_up = time.monotonic() + 5
    while signal.getitimer(signal.ITIMER_REAL)[1] > 0 and time.monotonic() < give_up:
        time.sleep(0.01)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert limit.call(max, 1, 2) == 2
    with pytest.raises(TooSlowError):
        limit.call(spin)


STARVED = """
import os, time
from giveway.daemon.limit import TimeLimit

def work():
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < 0.008:
        pass
    return time.monotonic() - began

os.nice(19)
print(TimeLimit().call(work))
"""


def test_to_have_no_core_is_no_fault() -> None:
    core = {min(os.sched_getaffinity(0))}

    def on_one_core() -> None:
        os.sched_setaffinity(0, core)

    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=on_one_core)
    try:
        done = subprocess.run(
            [sys.executable, "-c", STARVED],
            preexec_fn=on_one_core,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        busy.kill()
        busy.wait()
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.2  # else nothing was shown


STOPPED = """
import os, signal, time
from giveway.daemon.limit import TimeLimit

began = time.monotonic()
TimeLimit().call(os.kill, os.getpid(), signal.SIGSTOP)
print(time.monotonic() - began)
"""


def test_to_be_stopped_is_no_fault() -> None:
    process = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    time.sleep(0.4)
    process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert float(out) > 0.3  # else nothing was shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9400", ("127.0.0.1", 9400)),
        ("localhost:1", ("localhost", 1)),
        ("[::1]:9400", ("::1", 9400)),
    ],
)
def test_an_address_of_this_machine(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", "9400", "0.0.0.0:9400", "10.0.0.1:80", "127.0.0.1:x", "127.0.0.1:70000", ":1"]
)
def test_any_other_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"write 127\.0\.0\.1:9400"):
        parse_address(text)


def test_an_event_is_one_line_but_for_its_traceback() -> None:
    low = {"device": "cpu", "pid": 7, "name": "low"}
    held = {"time": 0.5, "what": "held", **low, "by": {**low, "name": "high"}, "why": "priority"}
    assert line(held).split(" ", 1)[1] == "held       low (7) on cpu for high (7) (priority)"
    failed = {"time": 0.5, "what": "failed", "policy": "mine", "traceback": "a\nb\n"}
    assert line(failed).endswith("policy mine\n    a\n    b")
