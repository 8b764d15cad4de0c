"""The guard of the unit tests and simulations refuses processes, clocks and torch."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from giveway.bench import loops
from tests.purity import ImpureError

ATTEMPTS: dict[str, Callable[[], object]] = {
    "subprocess.Popen": lambda: subprocess.run(["true"], check=True),
    "os.system": lambda: os.system("true"),
    "os.fork": os.fork,
    "os.posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "os.exec": lambda: os.execv("/bin/true", ["true"]),
    "time.time": time.time,
    "time.monotonic": time.monotonic,
    "time.perf_counter_ns": time.perf_counter_ns,
    "time.thread_time": time.thread_time,
    "time.sleep": lambda: time.sleep(0),
    "Timer.__init__": lambda: threading.Timer(0, print).start(),
    "signal.setitimer": lambda: signal.setitimer(signal.ITIMER_REAL, 0),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_is_not_pure_is_refused(refusals: list[str], name: str) -> None:
    with pytest.raises(ImpureError, match=name):
        ATTEMPTS[name]()
    assert name in refusals.pop()


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_of_multiprocessing_are_refused(refusals: list[str], method: str) -> None:
    context = multiprocessing.get_context(method)
    with pytest.raises(ImpureError, match="starts a process"):
        context.Process(target=print).start()  # type: ignore[attr-defined]
    refusals.clear()


def test_torch_is_refused(refusals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert importlib.util.find_spec("torch")
    with pytest.raises(ImpureError, match="imports torch"):
        importlib.import_module("torch")
    refusals.clear()


def test_a_clock_that_is_a_default_of_giveways_is_guarded(refusals: list[str]) -> None:
    with pytest.raises(ImpureError, match=r"time\.monotonic"):
        loops.serve(print, loops.Segment(0.0, 0.0, 1.0), [0.0])
    refusals.clear()


def test_a_refusal_that_is_swallowed_is_remembered(refusals: list[str]) -> None:
    with contextlib.suppress(Exception):
        time.monotonic()
    assert refusals == ["calls time.monotonic: pass the time in, or fake it"]
    refusals.clear()


def test_torch_was_not_imported_to_collect_the_tests() -> None:
    if any(name.startswith("tests.system.") for name in sys.modules):
        pytest.skip("system tests, which may import it, were collected with them")
    assert "torch" not in sys.modules
