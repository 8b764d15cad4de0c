"""From a task becoming active to the daemon having closed another one's gate, with 64 tasks.

A task with a higher priority becomes active, and this process spins until the gate of the last of
the others closes. So the time includes the transition, the daemon's waking up, its decision about
all tasks, and the write; "in_daemon" is the part from its waking up. Prints JSON, in microseconds;
run it where at least two cores have nothing else to do.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--policy", default="priority")
    parser.add_argument("--raw", type=Path, help="where to write every single time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GIVEWAY_DIR"] = str(Path(folder, "pages"))
        os.environ["GIVEWAY_LINGER_MS"] = "10000"  # tasks become idle when we say so
        os.environ["GIVEWAY_MAX_WAIT_MS"] = "0"
        giveway = Path(sys.executable).with_name("giveway")
        with subprocess.Popen([giveway, "serve", "--policy", options.policy]) as daemon:
            times, in_daemon = measure(options.tasks, options.rounds)
            daemon.terminate()
    times.sort()
    if options.raw:
        options.raw.write_text("".join(f"{value:.2f}\n" for value in times))
    print(
        json.dumps(
            {
                "schema": 1,
                "benchmark": "daemon",
                "policy": options.policy,
                "tasks": options.tasks,
                "rounds": len(times),
                "unit": "us",
                **{f"p{q}": round(times[len(times) * q // 100], 1) for q in (1, 50, 90, 99)},
                "max": round(times[-1], 1),
                "in_daemon": in_daemon,
            },
            indent=2,
        )
    )


def measure(tasks: int, rounds: int) -> tuple[list[float], object]:
    from giveway import page
    from giveway.client import Client
    from giveway.errors import DaemonError
    from giveway.page import Page, TaskInfo

    lib = page.library()

    class Options(ctypes.Structure):
        _fields_ = (
            ("name", ctypes.c_char_p),
            ("priority", ctypes.c_int),
            ("is_thread", ctypes.c_int),
            ("busy", ctypes.c_void_p),
            ("context", ctypes.c_void_p),
            ("release", ctypes.c_void_p),
        )

    for name in ("gw_admit", "gw_idle", "gw_leave"):
        getattr(lib, name).argtypes = (ctypes.c_void_p,)
        getattr(lib, name).restype = None

    def join(priority: int) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        given = Options(name=b"bench", priority=priority)
        assert lib.gw_join(of.handle, ctypes.byref(given), ctypes.byref(handle)) == 0
        return handle

    of = Page.open("cpu", create=True)
    others = [join(0) for _ in range(tasks - 1)]
    urgent = join(1)
    for task in others:
        lib.gw_admit(task)
    for _ in range(200):
        try:
            with Client() as client:
                if client.status()["tasks"]:
                    break
        except DaemonError:
            pass
        time.sleep(0.05)
    time.sleep(0.3)

    info = TaskInfo()
    reference = ctypes.byref(info)
    watched = others[-1]

    def until(closed: int) -> None:
        give_up = time.monotonic() + 5
        while True:
            lib.gw_task_describe(watched, reference)
            if info.gate_closed == closed:
                return
            assert time.monotonic() < give_up, "the daemon decides nothing"

    times = []
    for _ in range(rounds):
        until(0)
        time.sleep(0.002)
        began = time.perf_counter()
        lib.gw_admit(urgent)
        until(1)
        times.append((time.perf_counter() - began) * 1e6)
        lib.gw_idle(urgent)
    with Client() as client:
        in_daemon = client.status()["decisions"]
    for task in (*others, urgent):
        lib.gw_leave(task)
    return times, in_daemon


if __name__ == "__main__":
    main()
