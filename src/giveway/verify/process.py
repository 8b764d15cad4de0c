"""Runs a process of `giveway.verify.program` within limits, and reports how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from giveway.bench.signals import delayed_signals
from giveway.verify import stacks

_POLL_SECONDS: Final = 0.02
_MEMORY_SECONDS: Final = 0.25
"""The interval between two readings of the memory."""
_MEMORY_SHARE: Final = 0.8
_REAP_SECONDS: Final = 5
_CGROUP: Final = Path("/sys/fs/cgroup")
_LAST_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a process and its children."""

    seconds: float
    memory_bytes: int | None = None
    """Resident memory, in total; None: four fifths of the available memory at the start."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    status: str
    """``done``, ``skipped``, ``failed`` (an exception), ``crashed``, ``hung``, ``out of memory``
    or ``stopped``."""
    reason: str
    """The reason in one line; empty if the status is ``done``."""
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)
    """The content of ``done.json``."""


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    limits: Limits,
    stop: threading.Event,
) -> Ended:
    """Runs one program to its end; afterwards neither the program nor its children remain.

    Args:
        arguments: SOURCE, NAME, DEVICE and SEED of `giveway.verify.program`.
        environment: the whole environment of the program.
        folder: an empty folder for the outputs of the program.
        log: the file for stdout and stderr of the program, and for its stacks if it hangs.
        limits: the program is killed if it exceeds them.
        stop: an event that ends the program early.
    """
    command = [sys.executable, "-P", "-m", "giveway.verify.program", *arguments]
    memory = limits.memory_bytes or int(_MEMORY_SHARE * _available_bytes())
    began = time.monotonic()
    with log.open("wb") as out:
        # In a new session, Ctrl-C on the terminal does not reach the program.
        popen: subprocess.Popen[bytes] | None = None
        children: list[psutil.Process] = []
        try:
            with delayed_signals():
                popen = subprocess.Popen(
                    [*command, str(folder), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=dict(environment),
                    start_new_session=True,
                )
            problem = _wait(popen.pid, began + limits.seconds, memory, stop)
            children = _children(popen.pid)
            if problem == "hung":
                stacks.write([popen.pid, *(each.pid for each in children)], out)
        finally:
            if popen is not None:
                _kill(popen, children)
    seconds = time.monotonic() - began
    if problem is None:
        return _ended(popen.returncode, folder, log, seconds)
    if problem == "hung":
        at = stacks.place(log)
        reason = f"hung: not done after {limits.seconds:g} s" + (f", at {at}" if at else "")
    elif problem == "out of memory":
        reason = f"out of memory: the program used more than {memory / 2**30:.1f} GiB"
    else:
        reason = "interrupted"
    return Ended(problem, reason, seconds)


def _wait(pid: int, deadline: float, memory: int, stop: threading.Event) -> str | None:
    """Waits until the process ends or exceeds a limit; returns the problem, or None.

    The process is not reaped, so that its process group can still be killed.
    """
    next_reading = 0.0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        now = time.monotonic()
        if stop.is_set():
            return "stopped"
        if now > deadline:
            return "hung"
        if now > next_reading:
            next_reading = now + _MEMORY_SECONDS
            if _resident(pid) > memory:
                return "out of memory"
        stop.wait(_POLL_SECONDS)
    return None


def _children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def _resident(pid: int) -> int:
    total = 0
    with contextlib.suppress(psutil.Error):
        for process in (psutil.Process(pid), *_children(pid)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def _available_bytes() -> int:
    available: int = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):
        # The limit of a container; "max" without one, which ends this block.
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
        # The page cache counts as used, but the kernel frees it on demand.
        cached = next(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
        available = min(available, limit - used + cached)
    return available


def _kill(popen: subprocess.Popen[bytes], children: list[psutil.Process]) -> None:
    """Kills the process and its children, also those that left the group or were orphaned."""
    doomed = {*children, *_children(popen.pid)}
    with contextlib.suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)
    for child in doomed:
        with contextlib.suppress(psutil.Error):
            child.kill()
    popen.wait()
    psutil.wait_procs(doomed, timeout=_REAP_SECONDS)


def _ended(status: int, folder: Path, log: Path, seconds: float) -> Ended:
    with contextlib.suppress(OSError, ValueError):
        done = json.loads((folder / "done.json").read_text())
        if done["status"] == "failed" or status == 0:
            outcome = "out of memory" if _out_of_memory(done) else done["status"]
            return Ended(outcome, done.get("reason", ""), seconds, done)
    if status < 0:
        what = f"crashed: {_signal_name(-status)} (signal {-status})"
        if -status == signal.SIGKILL:
            # The kernel gives no reason; a process that ran out of memory ends like this, too.
            what = "killed by SIGKILL (signal 9): out of memory, or by another process"
    else:
        what = f"crashed: exit code {status}"
    lines = last_lines(log)
    return Ended("crashed", f"{what}: {lines}" if lines else what, seconds)


def _out_of_memory(done: Mapping[str, Any]) -> bool:
    return str(done.get("reason", "")).startswith("out of memory")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"


def last_lines(log: Path) -> str:
    """The last lines of a log, on one line; empty if the log is empty.

    If faulthandler reported a fatal error, the first lines of its report instead: the error and
    its place.
    """
    lines = log.read_text(errors="replace").splitlines()
    written = [line.strip() for line in lines if line.strip()]
    fatal = [at for at, line in enumerate(written) if line.startswith("Fatal Python error")]
    chosen = written[fatal[-1] :][:_LAST_LINES] if fatal else written[-_LAST_LINES:]
    return " | ".join(chosen)
