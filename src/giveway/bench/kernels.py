"""Records when a GPU runs the kernels of a program, with torch's profiler.

The times come from the device, so that they can be compared with the times of the gate. Recording
costs a program up to a quarter of its throughput, so it is limited to segments that do not count.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_NEAR: Final = 20e-6
"""Seconds. If the gap between two kernels is no longer, the second was already submitted."""

Span = list[float]
"""Begin and end, in seconds."""


class Kernels:
    """Starts to record; this takes seconds the first time.

    Raises:
        Exception: any error of the profiler.
    """

    def __init__(self) -> None:
        from torch.profiler import ProfilerActivity, profile

        self._profile = profile(activities=[ProfilerActivity.CUDA])
        self._profile.start()

    def stop(self, start: float) -> list[Span] | None:
        """Ends the recording and returns the periods in which the device worked.

        They are in seconds from ``start``, which is on the monotonic clock; None if unknown.
        """
        trace = self._trace()
        return None if trace is None else periods(trace, time.time() - time.monotonic() + start)

    def busy(self) -> float | None:
        """Ends the recording; returns the seconds in which the device worked, None if unknown."""
        trace = self._trace()
        return None if trace is None else busy(trace)

    def _trace(self) -> dict[str, Any] | None:
        # A folder, because the profiler would replace an existing file.
        with contextlib.suppress(Exception), tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "trace.json")
            self._profile.stop()
            self._profile.export_chrome_trace(str(path))
            found: dict[str, Any] = json.loads(path.read_bytes())
            return found
        return None


def busy(trace: Mapping[str, Any]) -> float:
    """The seconds in which a kernel, a copy or a memset ran, each moment once."""
    total = 0.0
    until = float("-inf")
    works = ("kernel", "gpu_memcpy", "gpu_memset")
    for began, took in sorted(
        (each["ts"], each["dur"]) for each in trace["traceEvents"] if each.get("cat") in works
    ):
        total += max(0.0, began + took - max(began, until))
        until = max(until, began + took)
    return total / 1e6


def periods(trace: Mapping[str, Any], start: float) -> list[Span]:
    """The periods of kernels in a trace in Chrome's format; neighbouring kernels are merged.

    Args:
        trace: its times are microseconds since ``baseTimeNanoseconds``, which counts from the
            epoch.
        start: the origin of the result, in seconds since the epoch.
    """
    base = trace.get("baseTimeNanoseconds", 0) / 1e9 - start
    kernels = (
        (base + each["ts"] / 1e6, base + (each["ts"] + each["dur"]) / 1e6)
        for each in trace["traceEvents"]
        if each.get("cat") == "kernel"
    )
    return _together(sorted(kernels))


def fewer(found: Sequence[Span], most: int, apart: Iterable[float] = ()) -> list[Span]:
    """At most so many periods: of the gaps between them, the shortest are closed.

    Args:
        found: the periods, in order; they do not overlap.
        most: the largest number of periods of the result, to which ``apart`` may add.
        apart: moments at which a gate was seen closed. The first gap that ends later is kept: it
            tells the work that was in flight from the work after the gate opened.
    """
    if len(found) <= most:
        return list(found)
    begins = [began for began, _ in found]
    # A gap has the number of the period after it.
    gaps = sorted(range(1, len(found)), key=lambda at: found[at - 1][1] - found[at][0])
    kept = {0, *gaps[: most - 1], *(bisect_right(begins, moment) for moment in apart)}
    firsts = sorted(kept - {len(found)})
    lasts = [*(first - 1 for first in firsts[1:]), len(found) - 1]
    return [[found[a][0], found[b][1]] for a, b in zip(firsts, lasts, strict=True)]


def _together(kernels: Iterable[tuple[float, float]]) -> list[Span]:
    found: list[Span] = []
    for began, ended in kernels:
        if found and began <= found[-1][1] + _NEAR:
            found[-1][1] = max(found[-1][1], ended)
        else:
            found.append([began, ended])
    return [[round(moment, 6) for moment in span] for span in found]
