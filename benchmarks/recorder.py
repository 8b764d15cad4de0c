"""Measures what the recorder adds to each request of a measured loop.

The same loop runs with the recorder and without it, in turn. The difference of each pair is one
sample. Prints JSON, in nanoseconds per request.
"""

from __future__ import annotations

import json
import statistics
import time

from giveway.bench.recorder import Recorder

ROUNDS = 21
REQUESTS = 100_000


def bare() -> float:
    start = time.perf_counter_ns()
    for _ in range(REQUESTS):
        time.monotonic()
        time.monotonic()
    return (time.perf_counter_ns() - start) / REQUESTS


def recorded() -> float:
    record = Recorder(REQUESTS).record
    start = time.perf_counter_ns()
    for _ in range(REQUESTS):
        began = time.monotonic()
        record(began, time.monotonic())
    return (time.perf_counter_ns() - start) / REQUESTS


def main() -> None:
    bare(), recorded()
    added = []
    for _ in range(ROUNDS):
        before = bare()
        added.append(recorded() - before)
    summary = {
        "n": ROUNDS,
        "min": round(min(added), 1),
        "p50": round(statistics.median(added), 1),
        "max": round(max(added), 1),
    }
    print(json.dumps({"recorder_added_ns": summary}, indent=2))


if __name__ == "__main__":
    main()
