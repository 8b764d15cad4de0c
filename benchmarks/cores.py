"""Measures what programs on the processor cost each other that do not compete, or that OpenMP's
gate cannot hold.

``pinned``: an urgent and another program without a pause, each on a core of its own. Neither can
take anything from the other, so both should run as if alone.

``pool``: an urgent program with 2 ms of work every 20 ms, beside a program whose threads are not
OpenMP's (``pools.py``), with ``giveway run --whole-process``.

Prints JSON: per case and figure the smallest, median and largest ratio to *alone* of the same
round, and all rounds. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from giveway.devices.machine import machine, versions

GIVEWAY = str(Path(sys.executable).with_name("giveway"))
POOLS = str(Path(__file__).with_name("pools.py"))
Figures = dict[str, dict[str, float]]


class Programs:
    """Starts programs, with giveway or without, on all cores or one."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._regions = str(options.build.absolute() / "native" / "programs" / "cpu_burst")
        self._seconds = f"{options.seconds:g}"
        self._cores = sorted(os.sched_getaffinity(0))

    def regions(self, role: str, priority: int | None, core: int | None) -> subprocess.Popen[str]:
        threads = len(self._cores) if core is None else 1
        pinned = [] if core is None else ["taskset", "-c", str(self._cores[core])]
        return self._start([*pinned, self._regions, role, self._seconds, str(threads)], priority)

    def pool(self, kind: str, priority: int | None) -> subprocess.Popen[str]:
        return self._start(
            [sys.executable, POOLS, kind, self._seconds], priority, "--whole-process"
        )

    @staticmethod
    def _start(command: list[str], priority: int | None, *also: str) -> subprocess.Popen[str]:
        if priority is not None:
            command = [
                GIVEWAY,
                "run",
                "--device",
                "cpu",
                "-p",
                str(priority),
                *also,
                "--",
                *command,
            ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def figures(**programs: subprocess.Popen[str]) -> Figures:
    """What each program printed, by its name. Waits for all."""
    printed = {name: program.communicate()[0] for name, program in programs.items()}
    for name, program in programs.items():
        if program.returncode != 0:
            raise SystemExit(f"{name} failed: exit code {program.returncode}")
    return {name: json.loads(text) for name, text in printed.items()}


def pinned(programs: Programs, mode: str) -> Figures:
    priority = {"urgent": 10, "other": 0} if mode == "giveway" else {"urgent": None, "other": None}
    started = {
        name: (lambda at=at, name=name: programs.regions("other", priority[name], at))
        for at, name in enumerate(("urgent", "other"))
    }
    if mode == "alone":
        return {name: figures(**{name: start()})[name] for name, start in started.items()}
    return figures(**{name: start() for name, start in started.items()})


def pool(programs: Programs, mode: str, kind: str) -> Figures:
    urgent, low = (10, 0) if mode == "giveway" else (None, None)
    if mode == "alone":
        alone = figures(urgent=programs.regions("urgent", None, None))
        return alone | figures(other=programs.pool(kind, None))
    other = programs.pool(kind, low)
    return figures(urgent=programs.regions("urgent", urgent, None), other=other)


def one_round(programs: Programs, case: str) -> dict[str, Figures]:
    modes = ["alone", "native", "giveway"]
    random.shuffle(modes)
    if case == "pinned":
        return {mode: pinned(programs, mode) for mode in modes}
    return {mode: pool(programs, mode, case) for mode in modes}


def ratios(rounds: list[dict[str, Figures]]) -> dict[str, dict[str, list[float]]]:
    """By mode and figure: the smallest, median and largest ratio to alone over the rounds."""
    return {
        mode: {
            f"{name}_{key}": spread(
                [one[mode][name][key] / one["alone"][name][key] for one in rounds]
            )
            for name, values in rounds[0][mode].items()
            for key in values
            if key != "n"
        }
        for mode in ("native", "giveway")
    }


def spread(values: list[float]) -> list[float]:
    return [round(value, 3) for value in (min(values), statistics.median(values), max(values))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("build", type=Path, help="folder that make native built: build/native")
    parser.add_argument("--cases", nargs="+", default=["pinned", "openblas"])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    result: dict[str, Any] = {
        "schema": 1,
        "benchmark": "cores",
        "machine": machine(),
        "versions": versions(),
        "seconds": options.seconds,
    }
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        os.environ["GIVEWAY_DIR"] = folder
        programs = Programs(options)
        for case in options.cases:
            rounds = [one_round(programs, case) for _ in range(options.rounds)]
            result[case] = {"of_alone": ratios(rounds), "rounds": rounds}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
