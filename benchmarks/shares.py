"""Measures shares of real programs under ``giveway serve``, and the fallback without the daemon.

For each pair of shares, two programs run endless parallel regions. The result is the share of each
in the time in which one of them ran: by the times of the daemon, and by the number of launches.
Then the benchmark measures the time until the first launch of a held program after the daemon was
killed, and after the daemon was stopped. Prints JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from giveway.daemon.client import Client
from giveway.errors import DaemonError
from giveway.page.observer import Page

REGIONS = Path(__file__).parents[1] / "tests" / "system" / "regions.c"
GIVEWAY = str(Path(sys.executable).with_name("giveway"))


@contextlib.contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started
        started.kill()


def status() -> dict[str, Any]:
    with Client() as client:
        return client.status()


def read_tasks(count: int) -> dict[int, dict[str, Any]]:
    """Waits until the daemon has ``count`` tasks; returns them by pid."""
    while True:
        with contextlib.suppress(DaemonError):
            tasks = {task["pid"]: task for task in status()["tasks"]}
            if len(tasks) == count:
                return tasks
        time.sleep(0.05)


def launches() -> dict[int, int]:
    return {task.pid: task.launches for task in Page.open("cpu").tasks()}


def shares(program: str, pair: tuple[int, int], seconds: float) -> dict[str, Any]:
    with (
        process(GIVEWAY, "serve", "--policy", "share"),
        process(GIVEWAY, "run", "-d", "cpu", "--share", str(pair[0]), "--", program) as first,
        process(GIVEWAY, "run", "-d", "cpu", "--share", str(pair[1]), "--", program) as second,
    ):
        pids = (first.pid, second.pid)
        read_tasks(2)
        time.sleep(0.5)
        before, counted = read_tasks(2), launches()
        time.sleep(seconds)
        after, now = read_tasks(2), launches()
        ran = [after[pid]["running_seconds"] - before[pid]["running_seconds"] for pid in pids]
        did = [now[pid] - counted[pid] for pid in pids]
    return {
        "promised": pair[0],
        "by_time": round(100 * ran[0] / sum(ran), 2),
        "by_launches": round(100 * did[0] / sum(did), 2),
    }


def fallback(program: str, number: signal.Signals) -> float:
    """The milliseconds from the signal to the daemon until a paused program launches again."""
    with (
        process(GIVEWAY, "serve") as daemon,
        process(GIVEWAY, "run", "-d", "cpu", "--", program) as held,
    ):
        read_tasks(1)
        with Client() as client:
            client.pause(held.pid)
        time.sleep(0.3 + random.random() * 0.1)
        page = Page.open("cpu")
        before = page.tasks()[0].launches
        pid = status()["pid"]
        began = time.perf_counter()
        os.kill(pid, number)
        while page.tasks()[0].launches == before:
            time.sleep(0.0005)
        took = time.perf_counter() - began
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        daemon.wait()
    return took * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each kind of fallback")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GIVEWAY_DIR"] = str(Path(folder, "pages"))
        program = str(Path(folder, "regions"))
        subprocess.run(["cc", "-O1", "-fopenmp", str(REGIONS), "-o", program], check=True)
        result = {
            "schema": 1,
            "benchmark": "shares",
            "seconds": options.seconds,
            "shares_percent": [
                shares(program, pair, options.seconds) for pair in ((50, 50), (70, 30), (90, 10))
            ],
            "fallback_ms": {
                number.name: sorted(
                    round(fallback(program, number), 1) for _ in range(options.rounds)
                )
                for number in (signal.SIGKILL, signal.SIGSTOP)
            },
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
