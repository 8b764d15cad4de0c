"""Runs any command as a program. The command makes its own load and reports its latencies.

The command writes two kinds of line to the file descriptor whose number is in the environment
variable ``GIVEWAY_BENCH_FD``:

``ready``
    Once, when the program is warm. The segment starts when all programs are ready.
``done LATENCY [BUSY] [ttft=SECONDS] [tpot=SECONDS] [tokens=COUNT]``
    After each request or batch: the seconds since the request was due and, if the program knows
    them, the seconds that it worked on the request. A language model adds the seconds from the due
    time to the first token, those from one token to the next, and the number of tokens.

The descriptor belongs to a regular file. So a line costs the program one write that never blocks,
and the bench need not run to read it.

All requests that were due before the end of the counted seconds count, however late they are
answered. The bench waits for them: a program that falls behind has its worst latencies at the end.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from giveway.bench import done_lines
from giveway.bench.done_lines import Done
from giveway.bench.guard import Guard
from giveway.bench.process import Process, ProgramFailedError
from giveway.bench.runner import Assignment
from giveway.scenarios.model import Program, Scenario

VARIABLE = "GIVEWAY_BENCH_FD"
_POLL_SECONDS = 0.05
_LOOK_SECONDS = 0.002
"""The interval between two looks at the answers after the end."""
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
        self._end = 0.0
        self._watch: _Watch | None = None

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
        self._wait_until_ready()

    def record_kernels(self) -> None:
        pass

    def begin(self, assignment: Assignment) -> None:
        self._end = assignment.segment.end

    def mark(self) -> None:
        self._marks.append(os.fstat(self._report.fileno()).st_size)
        if len(self._marks) == 2:
            self._watch = _Watch(self)

    def finish(self) -> dict[str, Any]:
        start, end = (self.lines(until=mark) for mark in self._marks)
        counted = [self.parsed(line) for line in end[len(start) :]]
        assert self._watch is not None
        late = self._watch.result()
        self._stop()
        return done_lines.measurements(counted, late)

    def late(self, cancelled: threading.Event) -> list[Done]:
        """Waits for the answers after the end to requests that were due before it.

        The first of them may be that of a program that is held at the gate. An answer whose request
        was due after the end shows that there are no more. A request was due at the time of its
        answer less its latency. The answer came between two looks, and the earlier one counts, so
        that no request is missed.
        """
        known, found = len(self.lines(until=self._marks[1])), 0
        reports: list[Done] = []
        deadline = time.monotonic() + self._scenario.answer_timeout
        looked = self._end
        while not cancelled.wait(_LOOK_SECONDS):
            now = time.monotonic()
            for line in self.lines()[known + found :]:
                report = self.parsed(line)
                if looked - report.latency >= self._end:
                    return reports
                reports.append(report)
                found += 1
            looked = now
            self._check(deadline, self._scenario.answer_timeout, "done")
        return reports

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = None
        if self._process is not None:
            self._process.__exit__()
            self._report.close()
        self._process = None

    def _stop(self) -> None:
        """Ends the process: SIGTERM first, then SIGKILL."""
        assert self._process is not None
        self._process.terminate(_GRACE_SECONDS)
        self.close()

    def lines(self, until: int | None = None) -> list[str]:
        """The complete lines so far, or those in the first ``until`` bytes."""
        number = self._report.fileno()
        size = os.fstat(number).st_size if until is None else until
        text = os.pread(number, size, 0).decode(errors="replace")
        return [line.strip() for line in text.split("\n")[:-1] if line.strip()]

    def _wait_until_ready(self) -> None:
        timeout = self._scenario.start_timeout
        deadline = time.monotonic() + timeout
        while "ready" not in self.lines():
            self._check(deadline, timeout, "ready")
            time.sleep(_POLL_SECONDS)

    def _check(self, deadline: float, timeout: float, line: str) -> None:
        """Raises ProgramFailedError if the line will not come."""
        assert self._process is not None
        before = len(self.lines())
        ended = self._process.popen.poll() is not None
        if ended and len(self.lines()) == before:
            raise self._process.died(f" before it wrote `{line}`")
        if time.monotonic() > deadline:
            raise self._process.failed(f"did not write `{line}` within {timeout:.0f} s")

    def parsed(self, line: str) -> Done:
        """What a line says. Raises ProgramFailedError if it is not as agreed."""
        found = done_lines.parse(line)
        if found is None:
            assert self._process is not None
            raise self._process.failed(f"reported {line!r}, not `{done_lines.FORM}` in seconds")
        return found


class _Watch:
    """Watches the late answers of a command in a thread, while the bench waits for others."""

    def __init__(self, runner: CommandRunner) -> None:
        self._found: list[Done] = []
        self._failure: ProgramFailedError | None = None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(runner,), daemon=True)
        self._thread.start()

    def _run(self, runner: CommandRunner) -> None:
        try:
            self._found = runner.late(self._cancelled)
        except ProgramFailedError as failure:
            self._failure = failure

    def result(self) -> list[Done]:
        """Waits for the last one. Raises ProgramFailedError if it does not come."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._found

    def cancel(self) -> None:
        self._cancelled.set()
        self._thread.join()
