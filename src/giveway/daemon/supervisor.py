"""Starts the process that decides, and starts it again without its policy where that hangs for
good."""

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
"""Where a daemon that hangs leaves the name of its policy and a traceback, in this folder."""
FAILED: Final = 1
"""The exit code of a Python that has failed."""
END: Final = signal.SIGUSR1
"""Sent to a daemon that hangs: it writes a traceback, even from within C code, and ends."""
AT_ONCE_SECONDS: Final = 10.0
"""Whoever was started again and ends this soon is not started a third time."""
LOOK_SECONDS: Final = 0.5
"""How often it is asked whether the daemon hangs."""
END_SECONDS: Final = 5.0
"""How long it may take to write the traceback."""
_PR_SET_PDEATHSIG: Final = 1


class Signs:
    """The daemon's end of a pipe, into which it says for how long it may be silent from now on."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor

    def give(self, seconds: int) -> None:
        """Alive; the next sign comes within these seconds, 255 at most."""
        with contextlib.suppress(OSError):  # a parent that does not read is not waited for
            os.write(self._descriptor, bytes([seconds]))


def end_with(parent: int) -> None:
    """Makes the kernel kill this process when its parent, which has that pid, ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it has ended already


def run(policy: str) -> int:
    """Keeps a daemon running until SIGTERM or SIGINT; its exit code."""
    with contextlib.suppress(OSError):  # of a folder that cannot be used, the daemon says so
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
        process, signs = _start(policy, again)
        if stopping:  # the signal came before there was a process to pass it on to
            process.terminate()
        code = _watch(process, signs)
        at_once = again and time.monotonic() - started < AT_ONCE_SECONDS
        cured = code in (FAILED, -END) and not at_once and last_words()[1] != ""
        if stopping or not cured:
            return 0 if stopping else _said(code)
        started = time.monotonic()
        policy, again = "priority", True


def _watch(process: subprocess.Popen[bytes], signs: int) -> int:
    """Waits for the process to end, and makes it end where it hangs; its exit code."""
    limit, silence = float("inf"), Silence(process.pid)
    while process.poll() is None:
        ready, _, _ = select.select([signs], [], [], LOOK_SECONDS)
        said = os.read(signs, 4096) if ready else b""
        if said:
            limit = said[-1]
            silence.end()
        elif ready:  # it has ended
            break
        else:
            silence.add(LOOK_SECONDS)
        if silence.seconds >= limit:
            process.send_signal(END)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
                break
            process.kill()  # it lets no signal in
    os.close(signs)
    return process.wait()


def _said(code: int) -> int:
    """The exit code for one of `subprocess`; a daemon that was killed could not say so itself."""
    if code >= 0:
        return code
    if code == -END:
        print("giveway: the daemon hung, with strict priority too; priorities decide, and "
              f"{client.folder() / CRASH_NAME} says where", file=sys.stderr)  # fmt: skip
        return FAILED
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


def _start(policy: str, again: bool) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and where its signs of life can be read."""
    ours, theirs = os.pipe()
    # -P: a module of the user's that happens to be called json is not ours.
    command = [sys.executable, "-P", "-m", "giveway.daemon", "--policy", policy]
    command += ["--parent", str(os.getpid()), "--signs", str(theirs)]
    if again:
        command.append("--again")
    # A Ctrl-C is passed on, and once is enough.
    process = subprocess.Popen(command, process_group=0, pass_fds=[theirs])
    os.close(theirs)
    return process, ours
