"""A command reports its latencies itself; none that was due in the counted seconds is lost."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from giveway.bench.command_runner import CommandRunner
from giveway.bench.guard import Guard
from giveway.bench.loops import Segment
from giveway.bench.runner import Assignment
from giveway.scenarios.model import Arrivals, Program, Scenario

# A request every 50 ms, each of which takes 100 ms. So the program falls behind more and more.
BEHIND = """
import os, time
report = os.fdopen(int(os.environ["GIVEWAY_BENCH_FD"]), "w", buffering=1)
print("ready", file=report)
due = time.monotonic()
while True:
    time.sleep(max(0.0, due - time.monotonic()))
    time.sleep(0.1)
    print(f"done {time.monotonic() - due:.6f} 0.1", file=report)
    due += 0.05
"""
# Batch after batch: the next one begins when the last one has ended.
BATCHES = """
import os, time
report = os.fdopen(int(os.environ["GIVEWAY_BENCH_FD"]), "w", buffering=1)
print("ready", file=report)
while True:
    began = time.monotonic()
    time.sleep(0.1)
    print(f"done {time.monotonic() - began:.6f}", file=report)
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as guard:
        yield guard


def measured(folder: Path, guard: Guard, code: str, wait: float = 0.0) -> dict[str, Any]:
    """What a command reports of a second, where the bench looks at it only ``wait`` s later."""
    path = folder / "program.py"
    path.write_text(code)
    program = Program("high", Arrivals("saturating"), command=(sys.executable, str(path)))
    scenario = Scenario("mine", "mine", (program,))
    runner = CommandRunner(program, scenario, dict(os.environ), guard)
    try:
        runner.prepare()
        segment = Segment(time.monotonic(), 0.2, 1.0)
        runner.begin(Assignment(segment, seed=1))
        for moment in (segment.counted_from, segment.end):
            time.sleep(max(0.0, moment - time.monotonic()))
            runner.mark()
        time.sleep(wait)
        return runner.finish()
    finally:
        runner.close()


def test_a_command_that_falls_behind_keeps_its_worst_requests(tmp_path: Path, guard: Guard) -> None:
    answer = measured(tmp_path, guard, BEHIND)
    # Ten were answered in the second, and twenty were due in it.
    assert len(answer["latencies_us"]) >= 20
    assert max(answer["latencies_us"]) == answer["latencies_us"][-1] >= 700_000
    assert answer["done"] < len(answer["latencies_us"])


def test_a_command_may_report_its_tokens(tmp_path: Path, guard: Guard) -> None:
    code = BEHIND.replace(' 0.1"', ' 0.1 ttft=0.05 tpot=0.01 tokens=4"')
    answer = measured(tmp_path, guard, code)
    requests = len(answer["latencies_us"])
    assert answer["ttft_us"] == [50_000] * requests
    assert answer["tpot_us"] == [10_000] * requests
    assert answer["service_us"] == [100_000] * requests
    assert answer["tokens_done"] == 4 * answer["done"]


def test_batches_after_the_end_do_not_count(tmp_path: Path, guard: Guard) -> None:
    answer = measured(tmp_path, guard, BATCHES, wait=1.0)
    # Ten more ended while the bench waited. One was at work at the end, and looks may be late.
    assert len(answer["latencies_us"]) <= answer["done"] + 6
