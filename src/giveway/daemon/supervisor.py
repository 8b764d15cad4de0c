"""Starts the process that decides, and starts it again without its policy where that hangs for
good."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import Final

from giveway import client

CRASH_NAME: Final = "daemon.crash"
"""Where a daemon that hangs leaves the name of its policy and a traceback, in this folder."""
HANGS: Final = 1
"""The exit code with which faulthandler ends a process, and Python one that has failed."""
AT_ONCE_SECONDS: Final = 10.0
"""Whoever was started again and ends this soon is not started a third time."""
_PR_SET_PDEATHSIG: Final = 1


def end_with(parent: int) -> None:
    """Makes the kernel kill this process when its parent, which has that pid, ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it has ended already


def run(policy: str) -> int:
    """Keeps a daemon running until SIGTERM or SIGINT; its exit code."""
    process = _start(policy, False)
    stopping = False

    def stop(number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    started = 0.0
    while True:
        code = process.wait()
        at_once = time.monotonic() - started < AT_ONCE_SECONDS
        if stopping or code != HANGS or at_once or last_words()[1] == "":
            return 0 if stopping else _said(code)
        started = time.monotonic()
        process = _start("priority", True)


def _said(code: int) -> int:
    """The exit code for one of `subprocess`; a daemon that was killed could not say so itself."""
    if code >= 0:
        return code
    killed = signal.Signals(-code).name
    print(f"giveway: the daemon was killed by {killed}; priorities decide", file=sys.stderr)
    return 128 - code


def last_words() -> tuple[str, str]:
    """The policy that made the last daemon hang, and where; two empty texts if none did."""
    try:
        text = (client.folder() / CRASH_NAME).read_text(errors="replace")
    except OSError:
        return "", ""
    name, _, traceback = text.partition("\n")
    return name, traceback


def _start(policy: str, again: bool) -> subprocess.Popen[bytes]:
    # -P: a module of the user's that happens to be called json is not ours.
    command = [sys.executable, "-P", "-m", "giveway.daemon", "--policy", policy]
    command += ["--parent", str(os.getpid())]
    if again:
        command.append("--again")
    return subprocess.Popen(command, process_group=0)  # a Ctrl-C is passed on, and once is enough
