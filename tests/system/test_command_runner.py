"""A command reports its latencies itself; none that was due in the counted seconds is lost."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from giveway.bench.command_runner import CommandRunner
from giveway.bench.guard import Guard
from giveway.bench.loops import Segment
from giveway.bench.runner import Assignment
from giveway.scenarios.model import Arrivals, Program, Scenario

Start = Callable[[str], CommandRunner]

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
# A batch that ends when the test says so, and many after it that take no time.
BATCHES = """
import os, time
report = os.fdopen(int(os.environ["GIVEWAY_BENCH_FD"]), "w", buffering=1)
began = time.monotonic()
print("ready", file=report)
while not os.path.exists("{go}"):
    time.sleep(0.001)
print(f"done {{time.monotonic() - began:.6f}}", file=report)
while True:
    time.sleep(0.001)
    print("done 0", file=report)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program with this code, once a test."""
    with Guard() as guard, contextlib.ExitStack() as stack:

        def start(code: str) -> CommandRunner:
            path = tmp_path / "program.py"
            path.write_text(code)
            program = Program("high", Arrivals("saturating"), command=(sys.executable, str(path)))
            scenario = Scenario("mine", "mine", (program,))
            runner = CommandRunner(program, scenario, dict(os.environ), guard)
            stack.callback(runner.close)
            runner.prepare()
            return runner

        yield start


def count(runner: CommandRunner, seconds: float) -> int:
    """Counts the answers of so many seconds, after a head of 0.2 s. Returns how many lines the
    program had written when they began."""
    segment = Segment(time.monotonic(), 0.2, seconds)
    runner.begin(Assignment(segment, seed=1))
    time.sleep(max(0.0, segment.counted_from - time.monotonic()))
    runner.mark()
    before = len(runner.lines())
    time.sleep(max(0.0, segment.end - time.monotonic()))
    runner.mark()
    return before


def test_a_command_that_falls_behind_keeps_its_worst_requests(start: Start) -> None:
    runner = start(BEHIND)
    before = count(runner, 1.0) - len(["ready"])
    answer = runner.finish()
    # 24 were due before the end, and about twelve were answered.
    assert before + len(answer["latencies_us"]) >= 24
    assert max(answer["latencies_us"]) == answer["latencies_us"][-1] >= 700_000
    assert answer["done"] < len(answer["latencies_us"])


def test_a_command_may_report_its_tokens(start: Start) -> None:
    runner = start(BEHIND.replace(' 0.1"', ' 0.1 ttft=0.05 tpot=0.01 tokens=4"'))
    count(runner, 0.5)
    answer = runner.finish()
    requests = len(answer["latencies_us"])
    assert requests > 0
    assert answer["ttft_us"] == [50_000] * requests
    assert answer["tpot_us"] == [10_000] * requests
    assert answer["service_us"] == [100_000] * requests
    assert answer["tokens_done"] == 4 * answer["done"]


def test_batches_after_the_end_do_not_count(start: Start, tmp_path: Path) -> None:
    runner = start(BATCHES.format(go=tmp_path / "go"))
    count(runner, 0.1)
    (tmp_path / "go").touch()
    answer = runner.finish()
    assert answer["done"] == 0
    assert len(answer["latencies_us"]) == 1, "the batch at work at the end"
