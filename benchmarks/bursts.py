"""Measures bursts of an urgent program beside a saturating program, in rounds of every mode.

Both programs are roles of ``native/programs/burst.c``. The urgent one launches COUNT kernels about
every 20 ms and waits for them; latency counts from when the burst was due. The other launches
without a pause. Modes: each alone; each alone under the shim; the other beside an idle urgent
program (the cost of marks and gates); together without giveway, with windows, with stream gates.
Prints JSON: all figures of all rounds, and ratios to *alone* of the same round.

Runs on the driver of the machine or, with ``--fake``, on the fake driver with simulated times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

PERIOD_US = 20_000
SHIM = {
    "window": {"GIVEWAY_STREAM_GATE_US": "0"},
    "gates": {},
}
Figures = dict[str, Any]


class Programs:
    """Starts the two programs."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        build = options.build.absolute() / "native"
        self._burst = build / "programs" / "burst"
        self._shim = build / "gpu" / "libgiveway-cuda.so"
        self._stream = ["stream"] if options.stream else []
        self._options = options
        self._base = {**os.environ, "GIVEWAY_DIR": str(folder)}
        if options.fake:
            fake = build / "fake" / "libfake-cuda.so"
            (folder / "libcuda.so.1").symlink_to(fake)
            self._base |= {
                "GIVEWAY_FAKE_DIR": str(folder),
                "LD_LIBRARY_PATH": str(folder),
                "GIVEWAY_CUDA_LIBRARY": str(fake),
            }

    def start(self, role: str, seconds: float, gate: str | None) -> subprocess.Popen[str]:
        options = self._options
        sizes = [options.other_us, 50] if role == "other" else [options.us, options.count]
        shim = {}
        if gate is not None:
            priority = "0" if role == "other" else "10"
            shim = {"LD_PRELOAD": str(self._shim), "GIVEWAY_PRIORITY": priority, **SHIM[gate]}
        command = [str(self._burst), role, f"{seconds:g}", *map(str, sizes), *self._stream]
        return subprocess.Popen(command, env=self._base | shim, stdout=subprocess.PIPE, text=True)

    def alone(self, role: str, gate: str | None) -> Figures:
        return figures(self.start(role, self._options.seconds, gate))

    def beside_idle(self, gate: str) -> Figures:
        """The figures of the other program beside an urgent program that is idle."""
        idle = self.start("idle", self._options.seconds + 2, gate)
        time.sleep(1)
        other = self.alone("other", gate)
        idle.wait()
        return other

    def together(self, gate: str | None) -> dict[str, Figures]:
        other = self.start("other", self._options.seconds + 1, gate)
        time.sleep(0.5)
        urgent = self.start("urgent", self._options.seconds, gate)
        return {"urgent": figures(urgent), "other": figures(other)}


def figures(program: subprocess.Popen[str]) -> Figures:
    out, _ = program.communicate()
    if program.returncode != 0:
        raise SystemExit(f"burst failed: exit code {program.returncode}")
    return dict(json.loads(out))


def one_round(programs: Programs) -> dict[str, dict[str, Figures]]:
    done = {
        "alone": {role: programs.alone(role, None) for role in ("urgent", "other")},
        "alone-shim": {role: programs.alone(role, "gates") for role in ("urgent", "other")},
        "native": programs.together(None),
    }
    for gate in SHIM:
        done[f"outranked-{gate}"] = {"other": programs.beside_idle(gate)}
        done[gate] = programs.together(gate)
    return done


def ratios(rounds: list[dict[str, dict[str, Figures]]], left: float) -> dict[str, Any]:
    """By mode and figure: the smallest, median and largest ratio to alone over the rounds.

    Args:
        left: the share of the time that the urgent program leaves. The ratios of the other program
            are relative to it in modes in which the urgent program works.
    """
    table: dict[str, Any] = {}
    for mode in [mode for mode in rounds[0] if mode != "alone"]:
        table[mode] = {
            f"{role}_{key}": spread(
                [
                    each[mode][role][key]
                    / each["alone"][role][key]
                    / (left if role == "other" and mode in ("native", *SHIM) else 1)
                    for each in rounds
                ]
            )
            for role, key in (
                ("urgent", "p50_us"),
                ("urgent", "p99_us"),
                ("other", "kernels_per_s"),
            )
            if role in rounds[0][mode]
        }
    return table


def spread(values: list[float]) -> list[float]:
    return [round(value, 3) for value in (min(values), statistics.median(values), max(values))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("build", type=Path, help="folder that make native built: build/native")
    parser.add_argument("--fake", action="store_true", help="on the fake driver")
    parser.add_argument("--stream", action="store_true", help="a created stream, not the NULL one")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--us", type=int, default=200, help="length of each kernel of the urgent program"
    )
    parser.add_argument("--count", type=int, default=10, help="kernels in a burst")
    parser.add_argument(
        "--other-us", type=int, default=200, help="length of each kernel of the other program"
    )
    options = parser.parse_args()
    # In memory, because a driver does not accept a page on a disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        programs = Programs(options, Path(folder))
        rounds = [one_round(programs) for _ in range(options.repeats)]
    left = 1 - options.us * options.count / PERIOD_US
    result = {
        "driver": "fake, times are simulated" if options.fake else "the machine's",
        "stream": "created" if options.stream else "NULL",
        "urgent": f"{options.count} x {options.us} us every {PERIOD_US} us",
        "other": f"{options.other_us} us without a pause; what is left to it: {left:g}",
        "ratios_to_alone_min_median_max": ratios(rounds, left),
        "rounds": rounds,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
