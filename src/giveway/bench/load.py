"""Who else uses the processors: the load of other programs, time taken by the host, pressure."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

_STAT: Final = Path("/proc/stat")
_PRESSURE: Final = Path("/proc/pressure/cpu")
_HERTZ: Final = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS: Final = 0.5
_NAMED: Final = 0.05
"""The smallest share of a core for which a program is named."""
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Load:
    """The counts of the kernel at one moment, in seconds, over the cores that programs may use."""

    moment: float
    cores: int
    used: float
    """By all programs, those of giveway included; interrupts are not."""
    stolen: float
    """By other virtual machines, while a program here could have run."""
    own: float
    """By this process."""
    pressure: float | None
    """In which at least one program waited for a core; None: the kernel does not say."""

    def since(self, earlier: Load, programs: float) -> dict[str, float | None]:
        """The shares of the time since an earlier reading.

        Args:
            programs: the processor time that the measured programs used meanwhile, in seconds.
        """
        seconds = max(self.moment - earlier.moment, 1e-9)
        others = self.used - earlier.used - (self.own - earlier.own) - programs
        pressure = None
        if self.pressure is not None and earlier.pressure is not None:
            pressure = round((self.pressure - earlier.pressure) / seconds, 4)
        return {
            "others": round(max(0.0, others) / (self.cores * seconds), 4),
            "steal": round((self.stolen - earlier.stolen) / (self.cores * seconds), 4),
            "pressure": pressure,
        }


def read() -> Load:
    """Reads the counts."""
    cores = os.sched_getaffinity(0)
    used = stolen = 0.0
    with contextlib.suppress(OSError, ValueError):
        for line in _STAT.read_text().splitlines():
            name, *counts = line.split()
            if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
                times = [int(count) / _HERTZ for count in counts]
                used += sum(times[:3])  # user, nice, system
                stolen += times[7] if len(times) > 7 else 0.0
    own = os.times()
    return Load(
        time.monotonic(),
        len(cores),
        used,
        stolen,
        own.user + own.system,
        _pressure(),
    )


def _pressure() -> float | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        some = _PRESSURE.read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    return None


def look() -> dict[str, Any]:
    """The load before any program of the bench runs, and the programs that make it."""
    before, earlier = _times(psutil.process_iter()), read()
    time.sleep(_LOOK_SECONDS)
    found = read().since(earlier, 0.0)
    after = _times(psutil.process_iter())
    busy: list[dict[str, Any]] = []
    for process, seconds in after.items():
        share = (seconds - before.get(process, seconds)) / _LOOK_SECONDS
        if share >= _NAMED and process.pid != os.getpid():
            with contextlib.suppress(psutil.Error):
                busy.append({"name": process.name(), "pid": process.pid, "cores": round(share, 2)})
    busy.sort(key=lambda each: -each["cores"])
    return {**found, "programs": busy[:_MOST_NAMED]}


def _times(processes: Iterable[psutil.Process]) -> dict[psutil.Process, float]:
    found = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            found[process] = times.user + times.system
    return found
