"""Measures the time from the activity of an urgent task until the daemon closes the other gates.

A task with a higher priority becomes active, and this process spins until the last of the other
gates closes. So the time includes the transition, the wake-up of the daemon, its decision about
all 64 tasks, and the write. "in_daemon" is the part after the wake-up, as the daemon counts it, for
decisions to close and to open.

In turn, a hundred times each, the benchmark also wakes a Python process that decides nothing: the
wake-up time of the machine itself ("wake_up"). The daemon and that process sleep on one core, and
this process spins on another. Prints JSON, in microseconds. Both cores must be otherwise idle.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from giveway.devices.machine import machine, versions

LIMIT_US = 200.0
"""The limit of a decision at p99."""
IN_A_ROW = 100
"""The wake-ups of one kind in a row; the process that ran last has warm caches."""
REST_SECONDS = 0.002
"""The pause before each wake-up, so that all processes sleep."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--policy", default="priority")
    parser.add_argument("--raw", type=Path, help="CSV file for all single times")
    options = parser.parse_args()
    where = {"machine": machine(), "versions": versions()}
    cores = sorted(os.sched_getaffinity(0))
    spins, sleeps = cores[0], cores[-1]
    os.sched_setaffinity(0, {sleeps})  # for the processes that start next
    control = Control()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GIVEWAY_DIR"] = str(Path(folder, "pages"))
        os.environ["GIVEWAY_LINGER_MS"] = "10000"  # tasks become idle only by gw_idle
        os.environ["GIVEWAY_MAX_WAIT_MS"] = "0"
        giveway = Path(sys.executable).with_name("giveway")
        with subprocess.Popen([giveway, "serve", "--policy", options.policy], stdout=2) as daemon:
            try:
                os.sched_setaffinity(0, {spins})
                daemon_side = Daemon(options.tasks)
                rounds = [
                    each
                    for _ in range(-(-options.rounds // IN_A_ROW))
                    for each in zip(
                        [control.wake() for _ in range(IN_A_ROW)],
                        [daemon_side.wake() for _ in range(IN_A_ROW)],
                        strict=True,
                    )
                ]
                in_daemon = daemon_side.stop()
            finally:
                daemon.terminate()
    if options.raw:
        lines = (f"{wake_up:.2f},{decision:.2f}\n" for wake_up, decision in rounds)
        options.raw.write_text("".join(["wake_up,decision\n", *lines]))
    result = {
        "schema": 2,
        "benchmark": "daemon",
        **where,
        "load_average": os.getloadavg(),
        "cores": {"spins": spins, "sleeps": sleeps},
        "policy": options.policy,
        "tasks": options.tasks,
        "unit": "us",
        "wake_up": summary([wake_up for wake_up, _ in rounds]),
        "decision": summary([decision for _, decision in rounds]),
        "in_daemon": in_daemon,
    }
    print(json.dumps(result, indent=2))


def summary(times: list[float]) -> dict[str, float]:
    times = sorted(times)
    n = len(times)
    return {
        "n": n,
        **{f"p{q}": round(times[n * q // 100], 1) for q in (1, 50, 90, 99)},
        "max": round(times[-1], 1),
        "share_above_200": round(sum(each > LIMIT_US for each in times) / n, 5),
    }


def spin(done: Callable[[], bool], problem: str) -> None:
    give_up = time.monotonic() + 5
    while not done():
        if time.monotonic() > give_up:
            raise SystemExit(problem)


class Control:
    """A process that sleeps on the futex of a semaphore, and counts its wake-ups."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self._semaphore = context.Semaphore(0)
        self._woken = context.RawValue(ctypes.c_uint64)
        context.Process(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while self._semaphore.acquire():
            self._woken.value += 1

    def wake(self) -> float:
        """Wakes the process; returns the microseconds until its code resumes."""
        wanted = self._woken.value + 1
        time.sleep(REST_SECONDS)
        began = time.perf_counter()
        self._semaphore.release()
        spin(lambda: self._woken.value == wanted, "the process does not wake up")
        return (time.perf_counter() - began) * 1e6


class Daemon:
    """The tasks of this process, which the daemon schedules."""

    def __init__(self, tasks: int) -> None:
        from giveway import page

        self._lib = page.library()
        for name in ("gw_admit", "gw_idle", "gw_leave"):
            getattr(self._lib, name).argtypes = (ctypes.c_void_p,)
            getattr(self._lib, name).restype = None
        self._page = page.Page.open("cpu", create=True)
        self._others = [self._join(0) for _ in range(tasks - 1)]
        self._urgent = self._join(1)
        self._info = page.TaskInfo()
        for task in self._others:
            self._lib.gw_admit(task)
        self._await_daemon()

    def _join(self, priority: int) -> ctypes.c_void_p:
        class Options(ctypes.Structure):
            _fields_ = (
                ("name", ctypes.c_char_p),
                ("priority", ctypes.c_int),
                ("is_thread", ctypes.c_int),
                ("busy", ctypes.c_void_p),
                ("context", ctypes.c_void_p),
                ("release", ctypes.c_void_p),
            )

        task = ctypes.c_void_p()
        options = Options(name=b"bench", priority=priority)
        code = self._lib.gw_join(self._page.handle, ctypes.byref(options), ctypes.byref(task))
        if code != 0:
            raise SystemExit(f"no task can join: {code}")
        return task

    def _await_daemon(self) -> None:
        from giveway.daemon.client import Client
        from giveway.errors import DaemonError

        for _ in range(200):
            try:
                with Client() as client:
                    if client.status()["tasks"]:
                        break
            except DaemonError:
                pass
            time.sleep(0.05)
        time.sleep(0.3)

    def _closed(self) -> bool:
        self._lib.gw_task_describe(self._others[-1], ctypes.byref(self._info))
        return bool(self._info.gate_closed)

    def wake(self) -> float:
        """Makes the urgent task active; returns the microseconds until all other gates close."""
        spin(lambda: not self._closed(), "the daemon opens no gates")
        time.sleep(REST_SECONDS)
        began = time.perf_counter()
        self._lib.gw_admit(self._urgent)
        spin(self._closed, "the daemon closes no gates")
        took = (time.perf_counter() - began) * 1e6
        self._lib.gw_idle(self._urgent)
        return took

    def stop(self) -> dict[str, Any]:
        """Ends all tasks; returns the statistics of the daemon."""
        from giveway.daemon.client import Client

        with Client() as client:
            decisions: dict[str, Any] = client.status()["decisions"]
        for task in (*self._others, self._urgent):
            self._lib.gw_leave(task)
        return decisions


if __name__ == "__main__":
    main()
