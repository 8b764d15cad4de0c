"""Measures what the operator hook adds to a torch operator if torch runs with one thread.

Two processes, one of them under ``giveway run``, time the same tiny operator in turn. The
difference of each pair is one sample. Prints JSON, in nanoseconds.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 21
CALLS = 100_000


def child() -> None:
    import torch

    torch.set_num_threads(1)
    value = torch.zeros(1)
    with torch.inference_mode():
        for _ in sys.stdin:
            start = time.perf_counter_ns()
            for _ in range(CALLS):
                value.add_(1)
            print((time.perf_counter_ns() - start) / CALLS, flush=True)


def start(*prefix: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, sys.executable, __file__, "child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def request_turn(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main() -> None:
    giveway = str(Path(sys.executable).with_name("giveway"))
    plain, gated = start(), start(giveway, "run", "--")
    request_turn(plain), request_turn(gated)
    bare, added = [], []
    for _ in range(ROUNDS):
        bare.append(request_turn(plain))
        added.append(request_turn(gated) - bare[-1])
    for process in (plain, gated):
        process.communicate()
    print(
        json.dumps(
            {
                name: {
                    "n": len(values),
                    "min": round(min(values), 1),
                    "p50": round(statistics.median(values), 1),
                    "max": round(max(values), 1),
                }
                for name, values in (("operator_bare_ns", bare), ("operator_added_ns", added))
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    child() if sys.argv[1:] == ["child"] else main()
