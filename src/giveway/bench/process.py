"""One ``giveway.bench.program``, from the outside: start, ask, kill."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from giveway.errors import ProgramError

_LAST_LINES = 3


class Process:
    """A running program; a context manager that leaves nothing behind.

    ``answer`` raises ProgramError, with the program's last words, when it has died or is late.
    """

    def __init__(self, title: str, device: str, environment: Mapping[str, str]) -> None:
        self.title = title
        # A file and not a pipe: nobody reads it while a segment runs, and a full pipe would hang.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self._unread = b""
        # A session of its own: Ctrl-C on the terminal is for us, and one kill reaches whatever
        # the program started.
        # -P: a file random.py in the current directory is none of ours.
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "giveway.bench.program", device, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=dict(environment),
            start_new_session=True,
            bufsize=0,
        )
        assert self._popen.stdin is not None and self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin, self._popen.stdout

    @property
    def pid(self) -> int:
        return self._popen.pid

    def tell(self, *words: object) -> None:
        """Sends one command; its answer must be read before the next one."""
        try:
            self._stdin.write((" ".join(map(str, words)) + "\n").encode())
        except BrokenPipeError:
            raise self._died() from None

    def answer(self, timeout: float) -> dict[str, Any]:
        """The answer to the last command, waiting at most ``timeout`` seconds for it."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._stdout], [], [], left)[0]:
                raise ProgramError(f"{self.title} did not answer within {timeout:.0f} s")
            some = os.read(self._stdout.fileno(), 1 << 16)
            if not some:
                raise self._died()
            self._unread += some
        line, _, self._unread = self._unread.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def last_words(self) -> str:
        """The end of what the program wrote on stderr, on one line; empty if it was silent."""
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-_LAST_LINES:] if line.strip())

    def _died(self) -> ProgramError:
        try:
            status = self._popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return ProgramError(f"{self.title} closed its output")
        how = f"was killed by signal {-status}" if status < 0 else f"ended with exit code {status}"
        words = self.last_words()
        return ProgramError(f"{self.title} {how}" + (f": {words}" if words else ""))

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._stdin.close()
        self._stdout.close()
        self._stderr.close()
