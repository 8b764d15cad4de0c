"""Starts the daemon process, and restarts it with strict priority if its policy hangs for good."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from typing import Final

from giveway.daemon import client
from giveway.daemon.silence import Silence

CRASH_NAME: Final = "daemon.crash"
"""The file with the name of the policy and, after a hang, a traceback."""
FAILED: Final = 1
"""The exit code of Python after an uncaught exception."""
END: Final = signal.SIGUSR1
"""The signal to a daemon that hangs: the daemon writes a traceback, even from C code, and ends."""
RESTART_SECONDS: Final = 10.0
"""A daemon that ends so soon after a restart is not restarted again."""
POLL_SECONDS: Final = 0.5
"""The interval at which the supervisor checks whether the daemon hangs."""
END_SECONDS: Final = 5.0
"""How long the daemon may take to write the traceback."""
_PR_SET_PDEATHSIG: Final = 1


class Heartbeat:
    """The daemon's end of the pipe to its supervisor. A heartbeat is one byte: the time in seconds
    until the next one."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor

    def send(self, seconds: int) -> None:
        """Sends a heartbeat; the next one follows within ``seconds``, at most 255."""
        with contextlib.suppress(OSError):  # the daemon never waits for a supervisor that is slow
            os.write(self._descriptor, bytes([seconds]))


def end_with(parent: int) -> None:
    """Makes the kernel kill this process when its parent, the process ``parent``, ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent has already ended


def run(policy: str) -> int:
    """Keeps a daemon running until SIGTERM or SIGINT; returns its exit code."""
    with contextlib.suppress(OSError):  # the daemon itself reports a folder that cannot be used
        (client.folder() / CRASH_NAME).unlink()
    process: subprocess.Popen[bytes] | None = None
    stopping = again = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        if process is not None:
            process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    started = 0.0
    while True:
        process, heartbeat = _start(policy, again)
        if stopping:  # the signal came before there was a process to pass it on to
            process.terminate()
        code = _watch(process, heartbeat)
        at_once = again and time.monotonic() - started < RESTART_SECONDS
        cured = code in (FAILED, -END) and not at_once and read_crash()[1] != ""
        if stopping or not cured:
            return 0 if stopping else _report_exit(code)
        started = time.monotonic()
        policy, again = "priority", True


def _watch(process: subprocess.Popen[bytes], heartbeat: int) -> int:
    """Waits for the process to end, and ends it if it hangs; returns its exit code."""
    limit, silence = float("inf"), Silence(process.pid)
    while process.poll() is None:
        ready, _, _ = select.select([heartbeat], [], [], POLL_SECONDS)
        received = os.read(heartbeat, 4096) if ready else b""
        if received:
            limit = received[-1]
            silence.end()
        elif ready:  # the daemon has ended
            break
        else:
            silence.add(POLL_SECONDS)
        if silence.seconds >= limit:
            process.send_signal(END)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
                break
            process.kill()  # the daemon does not react to the signal
    os.close(heartbeat)
    return process.wait()


def _report_exit(code: int) -> int:
    """Converts an exit code of `subprocess`, and reports a daemon that was killed by a signal."""
    if code >= 0:
        return code
    if code == -END:
        print("giveway: the daemon hung, with strict priority too; priorities decide, and "
              f"{client.folder() / CRASH_NAME} says where", file=sys.stderr)  # fmt: skip
        return FAILED
    killed = signal.Signals(-code).name
    print(f"giveway: the daemon was killed by {killed}; priorities decide", file=sys.stderr)
    return 128 - code


def read_crash() -> tuple[str, str]:
    """The policy that made the last daemon hang, and the traceback; two empty texts if none did."""
    try:
        text = (client.folder() / CRASH_NAME).read_text(errors="replace")
    except OSError:
        return "", ""
    name, _, traceback = text.partition("\n")
    return name, traceback


def _start(policy: str, again: bool) -> tuple[subprocess.Popen[bytes], int]:
    """Starts the daemon; returns the process and the pipe with its heartbeats."""
    ours, theirs = os.pipe()
    # -P: a user's module in the current folder must not replace one of the standard library.
    command = [sys.executable, "-P", "-m", "giveway.daemon", "--policy", policy]
    command += ["--parent", str(os.getpid()), "--heartbeat", str(theirs)]
    if again:
        command.append("--again")
    # A process group of its own: the supervisor forwards Ctrl-C, so it arrives once.
    process = subprocess.Popen(command, process_group=0, pass_fds=[theirs])
    os.close(theirs)
    return process, ours
