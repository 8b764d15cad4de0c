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
from collections.abc import Collection
from pathlib import Path

Member = tuple[int, int]
"""A process, and when it began, in ticks of the kernel."""
_BEGAN = 2


def kill_session(session: int, known: Collection[Member] = ()) -> None:
    """Kills all processes of a session, their descendants, and those that are known besides.

    Some launchers of servers give each worker a process group of its own, and torchrun gives each a
    session of its own.
    """
    targets = {*known, *family(session)}  # before a process that ends leaves its children behind
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)
    killed: set[Member] = set()
    while found := targets - killed:
        for process, began in found:
            if _stat(process)[_BEGAN:] == [began]:  # no other process has its number by now
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
        killed |= found
        targets |= family(session)  # a process may have forked meanwhile


def family(session: int) -> set[Member]:
    """The processes of a session, and all their descendants."""
    every = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if stat := _stat(int(folder.name)):
            every[int(folder.name)] = stat
    found = {process for process, (_, of, _) in every.items() if of == session}
    while more := {process for process, (of, *_) in every.items() if of in found} - found:
        found |= more
    return {(process, every[process][_BEGAN]) for process in found}


def _stat(process: int) -> list[int]:
    """Its parent, its session and when it began; empty if it is gone."""
    # After the name, which is in parentheses: state, parent, group, session, and so on.
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
        return [int(fields[at]) for at in (1, 3, 19)]
    return []


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
