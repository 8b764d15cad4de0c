"""Measures how much giveway delays the end of ``import torch``."""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final

from giveway.verify.check import Finding

MOST_SECONDS: Final = 0.05
_ENOUGH: Final = 3
"""The fewest pairs within the limit that decide the check, if they are the majority. This is as
strict as a median of five."""
_MOST_PAIRS: Final = 15
_LIMIT_SECONDS: Final = 60.0
_PROGRAM: Final = "import torch, os; os.write(1, b'!'); os._exit(0)"


def added(plain: Mapping[str, str], gated: Mapping[str, str]) -> Finding:
    """Measures the median delay that the shim adds, from the start of the process until torch is
    imported, over pairs of runs. Pairs cancel the load of a machine that is busy for a while."""
    differences: list[float] = []
    seconds: list[float] = []
    while len(differences) < _MOST_PAIRS:
        try:
            seconds.append(_import_seconds(plain))
            differences.append(_import_seconds(gated) - seconds[-1])
        except (TimeoutError, ChildProcessError) as error:
            return Finding(f"import torch {error}, in pair {len(differences) + 1} of timed runs")
        within = sum(each <= MOST_SECONDS for each in differences)
        if within >= _ENOUGH and statistics.median(differences) <= MOST_SECONDS:
            break
    median = statistics.median(differences)
    facts = {
        "import_ms": round(statistics.median(seconds) * 1e3, 1),
        "added_ms": round(median * 1e3, 1),
        "most_ms": MOST_SECONDS * 1e3,
        "pairs": len(differences),
    }
    if median <= MOST_SECONDS:
        return Finding(facts=facts)
    problem = f"import torch takes {median * 1e3:.0f} ms longer (at most {MOST_SECONDS * 1e3:.0f})"
    return Finding(problem, facts)


def _import_seconds(environment: Mapping[str, str]) -> float:
    """The seconds until torch is imported.

    Raises:
        TimeoutError: the process hangs.
        ChildProcessError: the process ended before torch was imported.
    """
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
    ) as popen:
        assert popen.stdout is not None
        try:
            if not select.select([popen.stdout], [], [], _LIMIT_SECONDS)[0]:
                raise TimeoutError(f"hung: not done after {_LIMIT_SECONDS:g} s")
            if not os.read(popen.stdout.fileno(), 1):
                raise ChildProcessError("ended before it was done")
            return time.monotonic() - began
        finally:
            popen.kill()  # also at Ctrl-C
