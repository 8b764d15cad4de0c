"""A terminal, and giveway on it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
import time

from tests.conftest import GIVEWAY, Spawner

LEAVE_SCREEN = b"\x1b[?1049l"

# Makes the terminal on stdin the controlling one, so that Ctrl-C on it is a signal.
OWN_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A terminal with `giveway ARGUMENTS…` on it."""

    def __init__(self, spawn: Spawner, columns: int, *arguments: str) -> None:
        self.master, self.slave = os.openpty()
        termios.tcsetwinsize(self.slave, (20, columns))
        self.before = termios.tcgetattr(self.slave)
        self.output = b""
        self.process: subprocess.Popen[str] = spawn(
            *(sys.executable, "-c", OWN_TERMINAL, GIVEWAY, *arguments),
            env={"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
        )

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Reads until ``text`` appears in the output after the last awaited text."""
        end = time.monotonic() + seconds
        while text.encode() not in self.output:
            assert time.monotonic() < end, self.output.decode(errors="replace")
            self._read(0.1)
        self.output = self.output.split(text.encode(), 1)[1]

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        """Waits for the end. Returns the exit code after the terminal is restored."""
        # A full terminal would keep it from ending.
        while self.process.poll() is None:
            self._read(0.1)
        while self._read(0):
            pass
        assert LEAVE_SCREEN in self.output
        assert termios.tcgetattr(self.slave) == self.before
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.output += os.read(self.master, 65536)
        return bool(ready)
