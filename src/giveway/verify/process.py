"""One `giveway.verify.program`, from the outside: its limits, and how it ended."""

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

from giveway.verify import stacks

_POLL_SECONDS: Final = 0.02
_LOOK_SECONDS: Final = 0.25
"""Between two looks at the memory."""
_MEMORY_SHARE: Final = 0.8
_REAP_SECONDS: Final = 5
_CGROUP: Final = Path("/sys/fs/cgroup")
_LAST_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process and its children may use."""

    seconds: float
    memory_bytes: int | None = None
    """Resident, together; None: four fifths of what is available when it starts."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    status: str
    """``done``, ``skipped``, ``failed`` (an exception), ``crashed``, ``hung``, ``out of memory``
    or ``stopped``."""
    reason: str
    """One line; empty where it is done."""
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)
    """Its ``done.json``."""


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    limits: Limits,
    stop: threading.Event,
) -> Ended:
    """Runs one program to its end and leaves nothing of it, not even its children.

    Args:
        arguments: SOURCE, NAME, DEVICE and SEED of `giveway.verify.program`.
        environment: all of it.
        folder: an empty folder for what it leaves.
        log: what it writes on stdout and stderr, and its stacks if it hangs.
        limits: beyond these it is killed.
        stop: set to end it early.
    """
    command = [sys.executable, "-P", "-m", "giveway.verify.program", *arguments]
    memory = limits.memory_bytes or int(_MEMORY_SHARE * _available_bytes())
    began = time.monotonic()
    with log.open("wb") as out:
        # A session of its own: Ctrl-C on the terminal is for us.
        popen = subprocess.Popen(
            [*command, str(folder), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=dict(environment),
            start_new_session=True,
        )
        children: list[psutil.Process] = []
        try:
            problem = _watch(popen.pid, began + limits.seconds, memory, stop)
            children = _children(popen.pid)
            if problem == "hung":
                stacks.write([popen.pid, *(each.pid for each in children)], out)
        finally:
            _kill(popen, children)
    seconds = time.monotonic() - began
    if problem is None:
        return _ended(popen.returncode, folder, log, seconds)
    if problem == "hung":
        at = stacks.place(log)
        reason = f"hung: not done after {limits.seconds:g} s" + (f", at {at}" if at else "")
    elif problem == "out of memory":
        reason = f"out of memory: it used more than {memory / 2**30:.1f} GiB"
    else:
        reason = "interrupted"
    return Ended(problem, reason, seconds)


def _watch(pid: int, deadline: float, memory: int, stop: threading.Event) -> str | None:
    """Waits until the process has ended, without reaping it: its group is still ours to kill."""
    look = 0.0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        now = time.monotonic()
        if stop.is_set():
            return "stopped"
        if now > deadline:
            return "hung"
        if now > look:
            look = now + _LOOK_SECONDS
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
        # In a container; "max" where it has no limit.
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
        # Files that were read count as used, and go as soon as something else wants the room.
        cached = next(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
        available = min(available, limit - used + cached)
    return available


def _kill(popen: subprocess.Popen[bytes], children: list[psutil.Process]) -> None:
    """Also those of the children that have left the process's group, or were orphaned since."""
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
            # The kernel does not say why: where memory has run out, this is all one sees.
            what = "killed by SIGKILL (signal 9): out of memory, or by somebody"
    else:
        what = f"crashed: exit code {status}"
    words = last_words(log)
    return Ended("crashed", f"{what}: {words}" if words else what, seconds)


def _out_of_memory(done: Mapping[str, Any]) -> bool:
    return str(done.get("reason", "")).startswith("out of memory")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"


def last_words(log: Path) -> str:
    """The end of what a program wrote, on one line; empty if it was silent.

    Of a fatal error that faulthandler has reported, the beginning: what it was, and where.
    """
    lines = log.read_text(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    fatal = [at for at, line in enumerate(said) if line.startswith("Fatal Python error")]
    chosen = said[fatal[-1] :][:_LAST_LINES] if fatal else said[-_LAST_LINES:]
    return " | ".join(chosen)
