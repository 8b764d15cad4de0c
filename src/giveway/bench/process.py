"""A process that the bench starts: captures its output and ends all of its processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from giveway.bench.guard import Guard, Member, family, kill_session
from giveway.bench.signals import delayed_signals
from giveway.errors import ProgramError

_LAST_LINES = 3


class ProgramFailedError(ProgramError):
    """A program died, hangs, or does not answer."""

    def __init__(self, title: str, what: str, last_lines: Sequence[str] = ()) -> None:
        words = " | ".join(last_lines)
        super().__init__(f"{title} {what}" + (f": {words}" if words else ""))
        self.title = title
        self.what = what
        self.last_lines = list(last_lines)

    def to_json(self) -> dict[str, Any]:
        return {"program": self.title, "what": self.what, "last_lines": self.last_lines}


class Process:
    """A running program and its children; a context manager that ends all of them.

    The program has its own session, so that Ctrl-C on the terminal reaches only giveway, and all
    processes of the program are found by it.
    """

    def __init__(
        self,
        title: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        guard: Guard,
        **options: Any,
    ) -> None:
        self.title = title
        self._guard = guard
        self._family: set[Member] = set()
        self._asked_at: float | None = None
        # A file, because a full pipe would block the program: the bench does not read it meanwhile.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": self._output}
        try:
            with delayed_signals():
                self.popen: subprocess.Popen[bytes] = subprocess.Popen(
                    list(command),
                    stderr=self._output,
                    env=dict(environment),
                    start_new_session=True,
                    bufsize=0,
                    **streams | options,
                )
                guard.add(self.popen.pid)
        except OSError as error:
            self._output.close()
            what = f"cannot be started: {command[0]}: {error.strerror}"
            raise ProgramFailedError(title, what) from error

    @property
    def pid(self) -> int:
        return self.popen.pid

    def last_lines(self) -> list[str]:
        """The last lines that the program wrote; empty if it wrote nothing."""
        # The program shares the file offset, so the file is read by position, without a seek.
        size = os.fstat(self._output.fileno()).st_size
        text = os.pread(self._output.fileno(), 1 << 16, max(0, size - (1 << 16)))
        lines = (line.strip() for line in text.decode(errors="replace").splitlines())
        return [line for line in lines if line][-_LAST_LINES:]

    def failed(self, what: str) -> ProgramFailedError:
        return ProgramFailedError(self.title, what, self.last_lines())

    def died(self, before: str = "") -> ProgramFailedError:
        """The failure of a program that has ended or is about to end."""
        try:
            status = self.popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return self.failed("closed its output")
        how = f"was killed by signal {-status}" if status < 0 else f"ended with exit code {status}"
        return self.failed(how + before)

    def ask_to_end(self) -> None:
        """Sends SIGTERM once, and does not wait."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._family = family(self.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGTERM)

    def terminate(self, seconds: float) -> None:
        """Sends SIGTERM, and waits for the end, at most until so many seconds after it was sent.

        The children of the process may go on.
        """
        self.ask_to_end()
        assert self._asked_at is not None
        left = max(0.0, self._asked_at + seconds - time.monotonic())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(timeout=left)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        kill_session(self.popen.pid, self._family)
        self.popen.wait()
        self._guard.remove(self.popen.pid)
        self._output.close()
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                stream.close()
