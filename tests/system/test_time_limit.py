"""The daemon's time limit for policies, with real signals and clocks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from giveway.daemon.limit import TimeLimit, TooSlowError
from tests.conftest import Spawner
from tests.waiting import eventually


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
    limit.sample_waiting()
    with pytest.raises(TooSlowError, match="longer than 50 ms"):
        limit.call(endless)


def test_what_does_not_is_not(limit: TimeLimit) -> None:
    assert limit.call(max, 1, 2) == 2
    sleep_past_the_limit = time.monotonic() + 0.3
    while time.monotonic() < sleep_past_the_limit:
        pass


def test_its_timer_does_not_wake_who_calls_nothing(limit: TimeLimit) -> None:
    assert limit.call(signal.getitimer, signal.ITIMER_REAL)[1] > 0
    assert eventually(lambda: signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0))
    assert limit.call(max, 1, 2) == 2
    with pytest.raises(TooSlowError):
        limit.call(spin)


STARVED = """
import os, subprocess, sys, time
from giveway.daemon import limit
from giveway.daemon.limit import TimeLimit, TooSlowError

def work():
    # For so long that it has waited longer than the limit, and computed for less.
    began, used = time.monotonic(), time.thread_time()
    while time.monotonic() - began < 0.3 and time.thread_time() - used < 0.03:
        pass

time_limit = TimeLimit()
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
spin = (sys.executable, "-c", "print(flush=True)\\nwhile True: pass")
busy = [subprocess.Popen(spin, stdout=subprocess.PIPE) for _ in range(2)]
for process in busy:
    process.stdout.readline()
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
try:
    waited = 0
    while waited < 0.2:
        time_limit.sample_waiting()
        began, before = time.monotonic(), limit._waited()
        try:
            time_limit.call(work)
        except TooSlowError:
            # What else took time: the machine stood still, or the process was stopped.
            charged = time.monotonic() - began - (limit._waited() - before)
            assert charged >= limit.LIMIT_SECONDS * limit.ROUNDING, charged
        waited = limit._waited() - before
finally:
    for process in busy:
        process.kill()
"""


def test_to_have_no_core_is_no_fault(spawn: Spawner) -> None:
    process = spawn(sys.executable, "-c", STARVED, stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 0, err


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
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert float(out) > 0.3  # else nothing was shown
