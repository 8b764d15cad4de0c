"""When a GPU worked for a program: its kernels, as torch's profiler records them.

The device's own times, so that they can be held against what giveway did. To record them costs a
program up to a quarter of its throughput, so it is done only where nothing counts.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

_NEAR: Final = 20e-6
"""Seconds; of two kernels that are no farther apart the second was already submitted."""

Span = list[float]
"""Began, ended; seconds."""


class Kernels:
    """Records from now on. Starting takes seconds, the first time.

    Raises:
        Exception: whatever the profiler does where it cannot.
    """

    def __init__(self) -> None:
        from torch.profiler import ProfilerActivity, profile

        self._profile = profile(activities=[ProfilerActivity.CUDA])
        self._profile.start()

    def stop(self, start: float) -> list[Span] | None:
        """The stretches in which the device worked, in seconds from ``start`` on the monotonic
        clock; None where they are not known."""
        # A folder, not a file: the profiler replaces whatever has the name.
        with contextlib.suppress(Exception), tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "trace.json")
            self._profile.stop()
            self._profile.export_chrome_trace(str(path))
            trace = json.loads(path.read_bytes())
            return stretches(trace, time.time() - time.monotonic() + start)
        return None


def stretches(trace: Mapping[str, Any], start: float) -> list[Span]:
    """The kernels of a trace in the format of Chrome, those that are near to each other as one.

    Args:
        trace: whose times are microseconds since its base, which is nanoseconds since the epoch.
        start: seconds since the epoch; what the result counts from.
    """
    base = trace.get("baseTimeNanoseconds", 0) / 1e9 - start
    kernels = (
        (base + each["ts"] / 1e6, base + (each["ts"] + each["dur"]) / 1e6)
        for each in trace["traceEvents"]
        if each.get("cat") == "kernel"
    )
    return _together(sorted(kernels))


def _together(kernels: Iterable[tuple[float, float]]) -> list[Span]:
    found: list[Span] = []
    for began, ended in kernels:
        if found and began <= found[-1][1] + _NEAR:
            found[-1][1] = max(found[-1][1], ended)
        else:
            found.append([began, ended])
    return [[round(moment, 6) for moment in span] for span in found]
