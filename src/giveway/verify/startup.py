"""Measures how much giveway delays the end of ``import torch``."""

from __future__ import annotations

import contextlib
import math
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

from giveway.bench.signals import delayed_signals
from giveway.verify.check import Finding

MOST_SECONDS: Final = 0.05
_LOOKS: Final = (8, 12, 16, 20, 24)
"""The numbers of pairs after which the check may be decided."""
_DOUBT: Final = 0.01
"""The probability at each look that the true median is outside the interval: 5 % over all looks."""
_LIMIT_SECONDS: Final = 60.0
_PROGRAM: Final = "import torch, os; os.write(1, b'!'); os._exit(0)"


def added(plain: Mapping[str, str], gated: Mapping[str, str]) -> Finding:
    """Measures the median delay that the shim adds, from the start of the process until torch is
    imported, over pairs of runs. Pairs cancel the load of a machine that is busy for a while.

    The check passes if the whole interval of the median is within the limit, and fails if the whole
    interval is above it. If no number of pairs shows either, the check fails too: it cannot pass on
    what it has not shown.
    """
    differences: list[float] = []
    seconds: list[float] = []
    for pairs in _LOOKS:
        while len(differences) < pairs:
            try:
                _time_pair(len(differences), plain, gated, seconds, differences)
            except (TimeoutError, ChildProcessError) as error:
                return Finding(
                    f"import torch {error}, in pair {len(differences) + 1} of timed runs"
                )
        low, high = median_interval(differences)
        if high <= MOST_SECONDS or low > MOST_SECONDS:
            break
    median = statistics.median(differences)
    facts = {
        "import_ms": round(statistics.median(seconds) * 1e3, 1),
        "added_ms": round(median * 1e3, 1),
        "interval_ms": [round(low * 1e3, 1), round(high * 1e3, 1)],
        "most_ms": MOST_SECONDS * 1e3,
        "pairs": len(differences),
    }
    if high <= MOST_SECONDS:
        return Finding(facts=facts)
    problem = f"import torch takes {median * 1e3:.0f} ms longer (at most {MOST_SECONDS * 1e3:.0f})"
    if low <= MOST_SECONDS:
        problem += (
            f": not shown, {low * 1e3:.0f} to {high * 1e3:.0f} ms in {len(differences)} pairs; "
            "try a quiet machine"
        )
    return Finding(problem, facts)


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The interval of a median by the order of the values, whatever their distribution.

    How many values are below the true median is binomial, as the heads of as many coins.
    """
    count = len(values)
    rank, below = 0, 1.0
    while 2 * below / 2**count <= _DOUBT:
        rank += 1
        below += math.comb(count, rank)
    ordered = sorted(values)
    if rank == 0:
        return -math.inf, math.inf
    return ordered[rank - 1], ordered[count - rank]


def _time_pair(
    number: int,
    plain: Mapping[str, str],
    gated: Mapping[str, str],
    seconds: list[float],
    differences: list[float],
) -> None:
    """Times one pair of runs. The order alternates, because the second one finds warm caches."""
    if number % 2:
        given, without = _import_seconds(gated), _import_seconds(plain)
    else:
        without, given = _import_seconds(plain), _import_seconds(gated)
    seconds.append(without)
    differences.append(given - without)


def _import_seconds(environment: Mapping[str, str]) -> float:
    """The seconds until torch is imported.

    Raises:
        TimeoutError: the process hangs.
        ChildProcessError: the process ended before torch was imported.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        with delayed_signals():
            popen = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(environment),
                start_new_session=True,
            )
            stack.enter_context(popen)
            stack.callback(popen.kill)  # also at Ctrl-C
        assert popen.stdout is not None
        if not select.select([popen.stdout], [], [], _LIMIT_SECONDS)[0]:
            raise TimeoutError(f"hung: not done after {_LIMIT_SECONDS:g} s")
        if not os.read(popen.stdout.fileno(), 1):
            raise ChildProcessError("ended before it was done")
        return time.monotonic() - began
