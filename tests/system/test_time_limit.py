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
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert float(out) > 0.3  # else nothing was shown
