"""Kills the programs of the bench if the bench itself is killed and cannot clean up.

The guard process runs this file as a script, without giveway and site-packages, so that it starts
at once. Each program has a session of its own. The guard reads ``+ID`` when a session starts and
``-ID`` when it is gone. Its input ends when the bench ends, however that happens; then the guard
kills the remaining sessions.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path


def kill_session(session: int) -> None:
    """Kills all processes of a session. Some launchers of servers give each worker a process group
    of its own, so killing the group of the first process is not enough."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)
    killed: set[int] = set()
    while found := _processes_of(session) - killed:  # a process may have forked meanwhile
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        killed |= found


def _processes_of(session: int) -> set[int]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        # After the name, which is in parentheses: state, parent, process group, session.
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int((folder / "stat").read_bytes().rpartition(b")")[2].split()[3]) == session:
                found.add(int(folder.name))
    return found


class Guard:
    """Starts the guard process and registers sessions with it; a context manager."""

    def __init__(self) -> None:
        self.sessions: set[int] = set()
        """The sessions of the programs that run."""

    def __enter__(self) -> Guard:
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        return self

    def add(self, session: int) -> None:
        self.sessions.add(session)
        self._send(f"+{session}")

    def remove(self, session: int) -> None:
        self.sessions.discard(session)
        self._send(f"-{session}")

    def _send(self, line: str) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(f"{line}\n".encode())

    def __exit__(self, *exception: object) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait()


def main() -> None:
    sessions: set[int] = set()
    for line in sys.stdin:
        session = int(line[1:])
        (sessions.add if line[0] == "+" else sessions.discard)(session)
    for session in sessions:
        kill_session(session)


if __name__ == "__main__":
    main()
