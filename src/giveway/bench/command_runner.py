"""Runs any command as a program. The command makes its own load and reports its latencies.

The command writes two kinds of line to the file descriptor whose number is in the environment
variable ``GIVEWAY_BENCH_FD``:

``ready``
    Once, when the program is warm. The segment starts when all programs are ready.
``done LATENCY [BUSY]``
    After each request or batch: the seconds since the request was due and, if the program knows
    them, the seconds that it worked on the request.

The descriptor belongs to a regular file. So a line costs the program one write that never blocks,
and the bench need not run to read it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from giveway.bench.guard import Guard
from giveway.bench.process import Process
from giveway.bench.runner import Assignment
from giveway.scenarios.model import Program, Scenario

VARIABLE = "GIVEWAY_BENCH_FD"
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 2.0


class CommandRunner:
    """A command, started anew for each segment, because it cannot be paused between segments."""

    def __init__(
        self,
        program: Program,
        scenario: Scenario,
        environment: Mapping[str, str],
        guard: Guard,
        prefix: Sequence[str] = (),
        note: str = "",
    ) -> None:
        self._program, self._scenario, self._guard = program, scenario, guard
        self._command = [*prefix, *program.command]
        self._environment, self._title = environment, f"{program.name}{note}"
        self._process: Process | None = None
        self._marks: list[int] = []
        self._seconds = 0.0

    @property
    def session(self) -> int | None:
        return self._process.pid if self._process else None

    def prepare(self) -> None:
        self.close()
        self._report = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        number = self._report.fileno()
        self._process = Process(
            self._title,
            self._command,
            {**self._environment, VARIABLE: str(number)},
            self._guard,
            pass_fds=[number],
        )
        self._marks = []
        timeout = self._scenario.start_timeout
        self._wait_for(lambda lines: "ready" in lines, timeout, "ready")

    def record_kernels(self) -> None:
        pass

    def begin(self, assignment: Assignment) -> None:
        self._seconds = assignment.segment.seconds

    def mark(self) -> None:
        self._marks.append(os.fstat(self._report.fileno()).st_size)

    def finish(self) -> dict[str, Any]:
        start, end = (self._lines(until=mark) for mark in self._marks)
        counted = end[len(start) :]
        # The request in flight may be held at the gate, so its latency must be counted too.
        timeout = self._scenario.answer_timeout
        self._wait_for(lambda lines: len(lines) > len(end), timeout, "done")
        reports = [self._parsed(line) for line in (*counted, self._lines()[len(end)])]
        self._stop()
        busy = [report[1] for report in reports[:-1] if len(report) > 1]
        return {
            "latencies_us": [round(report[0] * 1e6, 1) for report in reports],
            "busy_seconds": sum(busy) if counted and len(busy) == len(counted) else None,
            "done": float(len(counted)),
        }

    def close(self) -> None:
        if self._process is not None:
            self._process.__exit__()
            self._report.close()
        self._process = None

    def _stop(self) -> None:
        """Ends the process: SIGTERM first, then SIGKILL."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.popen.wait(timeout=_GRACE_SECONDS)
        self.close()

    def _lines(self, until: int | None = None) -> list[str]:
        """The complete lines so far, or those in the first ``until`` bytes."""
        number = self._report.fileno()
        size = os.fstat(number).st_size if until is None else until
        text = os.pread(number, size, 0).decode(errors="replace")
        return [line.strip() for line in text.split("\n")[:-1] if line.strip()]

    def _wait_for(self, arrived: Callable[[list[str]], bool], timeout: float, line: str) -> None:
        assert self._process is not None
        deadline = time.monotonic() + timeout
        while not arrived(self._lines()):
            if self._process.popen.poll() is not None and not arrived(self._lines()):
                raise self._process.died(f" before it wrote `{line}`")
            if time.monotonic() > deadline:
                raise self._process.failed(f"did not write `{line}` within {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _parsed(self, line: str) -> list[float]:
        word, *numbers = line.split()
        try:
            values = [float(number) for number in numbers]
        except ValueError:
            values = []
        if word != "done" or not 1 <= len(values) <= 2 or min(values) < 0:
            assert self._process is not None
            raise self._process.failed(f"reported {line!r}, not `done LATENCY [BUSY]` in seconds")
        return values
