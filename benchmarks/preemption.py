"""Splits the time of one preemption on an NVIDIA GPU into its parts.

Two programs share the GPU: one launches short kernels without a pause, and an urgent one launches
one kernel of 20 us about every 10 ms. Both record the begin and end of their kernels by the clock
of the device (``benchmarks/preempt.c``). By mode and by length of the other's kernels, in us:

=============  =====================================================================================
``total``      from the urgent launch until the program has the result
``call``       the part of the launching call, in which the gate closes
``residue``    from the call to the end of the other's last kernel: the preemption latency
``switch``     from there (or from the call, if nothing ran) to the start of the urgent kernel
``done``       from the end of the urgent kernel until the program has the result
``wake``       from the end of the urgent kernel to the start of the other's next kernel
``mid``        the share of urgent kernels that began within a kernel of the other, which the time
               slicing of the device stopped, not a gate
=============  =====================================================================================
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

URGENT_US: Final = 20
MODES: Final[Mapping[str, Mapping[str, str] | None]] = {
    "native": None,
    "window": {"GIVEWAY_STREAM_GATE_US": "0"},
    "gates 250": {"GIVEWAY_STREAM_GATE_US": "250"},
    "gates 100": {"GIVEWAY_STREAM_GATE_US": "100"},
    "giveway": {},
}
Times = NDArray[np.int64]


def split(urgent: Times, low: Times) -> dict[str, Times | float]:
    """Splits each preemption into its parts, in nanoseconds.

    Args:
        urgent: rows of called, returned, began, ended, noticed; ascending.
        low: rows of began, ended; ascending.
    """
    urgent = urgent[(urgent[:, 0] > low[0, 0]) & (urgent[:, 4] < low[-1, 0])]
    called, returned, began, ended, noticed = urgent.T
    following = np.searchsorted(low[:, 0], began)
    last_ended, next_began = low[following - 1, 1], low[following, 0]
    middle = last_ended > began
    clean = ~middle
    free = np.maximum(last_ended, called)
    return {
        "total": noticed - called,
        "call": returned - called,
        "residue": (free - called)[clean],
        "switch": (began - free)[clean],
        "done": noticed - ended,
        "wake": next_began - ended,
        "mid": float(np.mean(middle)),
    }


def figures(parts: Mapping[str, Times | float]) -> dict[str, Any]:
    """The number of preemptions, with p50, p90 and p99 of each part in microseconds."""
    found: dict[str, Any] = {}
    for name, values in parts.items():
        if isinstance(values, float):
            found[name] = round(values, 4)
        elif len(values):
            shown = np.percentile(values, (50, 90, 99)) / 1e3
            found[name] = dict(zip(("p50", "p90", "p99"), shown.round(1).tolist(), strict=True))
            found[name]["n"] = len(values)
    return found


class Programs:
    """Starts the two programs."""

    def __init__(self, build: Path, folder: Path, seconds: float) -> None:
        self._program = build.absolute() / "benchmarks" / "preempt"
        self._shim = build.absolute() / "native" / "gpu" / "libgiveway-cuda.so"
        self._base = {**os.environ, "GIVEWAY_DIR": str(folder)}
        self._folder, self._seconds = folder, seconds

    def start(
        self, role: str, us: int, more: float, gate: Mapping[str, str] | None
    ) -> tuple[subprocess.Popen[bytes], Path]:
        shim: dict[str, str] = {}
        if gate is not None:
            priority = "10" if role == "urgent" else "0"
            shim = {"LD_PRELOAD": str(self._shim), "GIVEWAY_PRIORITY": priority, **gate}
        command = [str(self._program), role, f"{self._seconds + more:g}", str(us)]
        path = self._folder / role
        with path.open("wb") as out:
            return subprocess.Popen(command, env=self._base | shim, stdout=out), path

    def together(self, us: int, gate: Mapping[str, str] | None) -> dict[str, Any]:
        low, low_path = self.start("low", us, 1.0, gate)
        time.sleep(0.7)
        urgent, urgent_path = self.start("urgent", URGENT_US, 0.0, gate)
        wait(urgent), wait(low)
        spans = np.fromfile(low_path, np.int64).reshape(-1, 2)
        found = figures(split(np.fromfile(urgent_path, np.int64).reshape(-1, 5), spans))
        return found | {"low_kernels_per_s": round(rate(spans), 1)}

    def alone(self, us: int) -> dict[str, Any]:
        low, path = self.start("low", us, 0.0, None)
        wait(low)
        per_second = rate(np.fromfile(path, np.int64).reshape(-1, 2))
        urgent, path = self.start("urgent", URGENT_US, 0.0, None)
        wait(urgent)
        called, returned, began, ended, noticed = np.fromfile(path, np.int64).reshape(-1, 5).T
        parts = {
            "total": noticed - called,
            "call": returned - called,
            "switch": began - called,
            "done": noticed - ended,
        }
        return figures(parts) | {"low_kernels_per_s": round(per_second, 1)}


def rate(spans: Times) -> float:
    """The rate of kernels, per second."""
    return 1e9 * len(spans) / float(spans[-1, 1] - spans[0, 0])


def wait(program: subprocess.Popen[bytes]) -> None:
    if program.wait() != 0:
        raise SystemExit(f"preempt failed: exit code {program.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("build", type=Path, help="folder that make native built: build/native")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--us", default="10,50,100", help="lengths of the other's kernels")
    parser.add_argument("--modes", default=",".join(MODES))
    options = parser.parse_args()
    rounds = []
    # In memory, because a driver does not accept a page on a disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        programs = Programs(options.build, Path(folder), options.seconds)
        for _ in range(options.repeats):
            done: dict[str, Any] = {}
            for us in map(int, options.us.split(",")):
                done[f"{us} us"] = {"alone": programs.alone(us)} | {
                    mode: programs.together(us, MODES[mode]) for mode in options.modes.split(",")
                }
            rounds.append(done)
    print(json.dumps({"urgent": f"1 x {URGENT_US} us", "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
