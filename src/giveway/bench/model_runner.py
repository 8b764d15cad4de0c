"""A model of ours as a program: started once, then told over a pipe what to run."""

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
from giveway.bench.runner import Stretch
from giveway.scenarios.model import Program, Scenario, Size

_TIMING_SECONDS = 2.0


class ModelRunner:
    """``giveway.bench.program``, from the outside."""

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
        self._watched = False
        self.rate: float | None = None
        torch_device = "cuda" if device == "hip" else device  # as torch calls both
        # -P: a file random.py in the current directory is none of ours.
        python = [sys.executable, "-P", "-m", "giveway.bench.program"]
        self._process = Process(
            f"{program.name}{note}",
            [*prefix, *python, torch_device, str(os.getpid())],
            environment,
            guard,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._tell("time", 0, 0)  # Its answer says that torch is imported.

    @property
    def session(self) -> int | None:
        return self._process.pid

    def started(self) -> None:
        """Waits until the program is there."""
        self._answer(self._scenario.start_timeout)

    def load(self, size: Size, limit: float = math.inf) -> float:
        """Builds and warms the model at a size; the median seconds of a run.

        Of one that takes more than twice the limit, less exactly: it is not wanted.
        """
        timeout = self._scenario.start_timeout
        self._tell("load", self._program.model, self._program.task, dict(size), self._stream)
        self._answer(timeout)
        # The first run is in a class of its own: it loads kernels and chooses algorithms.
        for count in (1, 3, 7):
            self._tell("time", count, _TIMING_SECONDS)
            seconds = float(statistics.median(self._answer(timeout)["seconds"]))
            if count > 1 and seconds > 2 * limit:
                break
        return seconds

    def prepare(self) -> None:
        if self._watched:
            self._answer(self._scenario.start_timeout)
        self._watched = False

    def watch(self) -> None:
        self._tell("watch")  # The answer takes seconds; meanwhile others can be told.
        self._watched = True

    def begin(self, stretch: Stretch) -> None:
        segment = stretch.segment
        times = (segment.start, segment.warm, segment.seconds, segment.tail, stretch.spans)
        arrivals = self._program.arrivals
        self._counted = segment.over - time.monotonic()
        if arrivals.open_loop:
            assert self.rate is not None
            self._tell(
                "serve", times, arrivals.process, self.rate, stretch.seed, list(arrivals.trace)
            )
        else:
            self._tell("repeat", times)

    def mark(self) -> None:
        pass

    def finish(self) -> dict[str, Any]:
        return self._answer(self._counted + self._scenario.answer_timeout)

    def close(self) -> None:
        self._process.__exit__()

    def _tell(self, *words: object) -> None:
        """Sends one command; its answer must be read before the next one."""
        stdin = self._process.popen.stdin
        assert stdin is not None
        try:
            stdin.write((json.dumps(words) + "\n").encode())
        except BrokenPipeError:
            raise self._process.died() from None

    def _answer(self, timeout: float) -> dict[str, Any]:
        """The answer to the last command, waiting at most ``timeout`` seconds for it."""
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
