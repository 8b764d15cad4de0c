"""Runs a model as a program, which starts once and then receives commands over a pipe."""

from __future__ import annotations

import json
import math
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from giveway.bench.guard import Guard
from giveway.bench.process import Process
from giveway.bench.runner import Assignment
from giveway.scenarios.model import Program, Scenario, Size

_TIMING_SECONDS = 2.0
_DEVICE_RUNS = 10
"""The number of runs over which the device time of one is the mean."""


class ModelRunner:
    """Starts and controls a process of ``giveway.bench.program``."""

    def __init__(
        self,
        program: Program,
        scenario: Scenario,
        device: str,
        environment: Mapping[str, str],
        guard: Guard,
        prefix: Sequence[str] = (),
        stream: int | None = None,
        note: str = "",
    ) -> None:
        self._program, self._scenario, self._stream = program, scenario, stream
        self._unread = b""
        self._counted = 0.0
        self._recording = False
        self.rate: float | None = None
        torch_device = "cuda" if device == "hip" else device  # torch calls both cuda
        # -P: a file random.py in the current directory must not shadow the standard library.
        python = [sys.executable, "-P", "-m", "giveway.bench.program"]
        self._process = Process(
            f"{program.name}{note}",
            [*prefix, *python, torch_device, str(os.getpid())],
            environment,
            guard,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send("time", 0, 0)  # The answer arrives when torch is imported.

    @property
    def session(self) -> int | None:
        return self._process.pid

    def wait_until_started(self) -> None:
        """Waits until the program has imported torch."""
        self._read_answer(self._scenario.start_timeout)

    def load(self, size: Size, limit: float = math.inf) -> float:
        """Builds and warms the model at a size; returns the median seconds of a run.

        If a run takes more than twice ``limit`` seconds, fewer runs are timed, because the caller
        rejects such a size.
        """
        self.send_load(size)
        return self.finish_load(limit)

    def send_load(self, size: Size) -> None:
        """Begins to build the model at a size."""
        tokens = self._program.tokens
        lengths = None if tokens is None else (tokens.prompt, tokens.output)
        self._send(
            "load", self._program.model, self._program.task, dict(size), self._stream, lengths
        )

    def finish_load(self, limit: float) -> float:
        """Waits until the model is built, and warms it, as ``load`` does."""
        timeout = self._scenario.start_timeout
        self._read_answer(timeout)
        # The first run is slower than all others: it loads kernels and chooses algorithms.
        for count in (1, 3, 7):
            self._send("time", count, _TIMING_SECONDS)
            seconds = float(statistics.median(self._read_answer(timeout)["seconds"]))
            if count > 1 and seconds > 2 * limit:
                break
        return seconds

    def device_seconds(self) -> float | None:
        """The device time of one run, by the device's own clock; None: not known, as on a CPU."""
        self._send("device", _DEVICE_RUNS)
        seconds: float | None = self._read_answer(self._scenario.start_timeout)["seconds"]
        return seconds

    def prepare(self) -> None:
        if self._recording:
            self._read_answer(self._scenario.start_timeout)
        self._recording = False

    def record_kernels(self) -> None:
        self._send("record_kernels")  # The answer takes seconds and is read in `prepare`.
        self._recording = True

    def begin(self, assignment: Assignment) -> None:
        segment = assignment.segment
        times = (segment.start, segment.warm, segment.seconds, segment.tail, assignment.spans)
        arrivals = self._program.arrivals
        self._counted = segment.over - time.monotonic()
        if arrivals.open_loop:
            assert self.rate is not None
            self._send(
                "serve", times, arrivals.process, self.rate, assignment.seed,
                list(arrivals.trace), assignment.skip,
            )  # fmt: skip
        else:
            self._send("repeat", times)

    def mark(self) -> None:
        pass

    def finish(self) -> dict[str, Any]:
        return self._read_answer(self._counted + self._scenario.answer_timeout)

    def close(self) -> None:
        self._process.__exit__()

    def _send(self, *words: object) -> None:
        """Sends one command. The answer must be read before the next command is sent."""
        stdin = self._process.popen.stdin
        assert stdin is not None
        try:
            stdin.write((json.dumps(words) + "\n").encode())
        except BrokenPipeError:
            raise self._process.died() from None

    def _read_answer(self, timeout: float) -> dict[str, Any]:
        """Reads the answer to the last command; waits for at most ``timeout`` seconds."""
        stdout = self._process.popen.stdout
        assert stdout is not None
        deadline = time.monotonic() + timeout
        pieces = [self._unread]
        while b"\n" not in pieces[-1]:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise self._process.failed(f"did not answer within {timeout:.0f} s")
            some = os.read(stdout.fileno(), 1 << 16)
            if not some:
                raise self._process.died()
            pieces.append(some)
        line, _, self._unread = b"".join(pieces).partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply
