"""Writes the stacks of a process that hangs: the Python stacks and the native ones."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from giveway.verify.program import SHOW_STACKS

_PYTHON_SECONDS: Final = 5.0
"""The longest time that a busy machine needs to write the Python stacks."""
_REST_SECONDS: Final = 0.2
"""The time for the stacks of the other threads, which follow at once."""
_POLL_SECONDS: Final = 0.1
_NATIVE_SECONDS: Final = 45.0
_FRAMES: Final = 40
_PROCESSES: Final = 8
_PYTHON: Final = "Python stacks of process"
_CURRENT: Final = re.compile(r'Current thread .*\n  File "(.+)", line (\d+) in (.+)')


def write(pids: Sequence[int], log: BinaryIO) -> None:
    """Appends the stacks of a process and its first few children to ``log``.

    py-spy or gdb, if installed, writes the native stacks. The faulthandler of the process writes
    the Python stacks, even within a C call. The Python stacks come last, because the signal
    interrupts some system calls, after which the process may continue.

    Args:
        pids: the process and its children.
        log: the file that the process itself writes to.
    """
    for pid in pids[:_PROCESSES]:
        _native(pid, log)
    for pid in pids[:_PROCESSES]:
        if _shows_stacks(pid):
            _write_heading(log, f"{_PYTHON} {pid}")
            begin = os.fstat(log.fileno()).st_size
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, SHOW_STACKS)
                _wait_for_stacks(Path(log.name), begin)


def _wait_for_stacks(log: Path, begin: int) -> None:
    """Waits until Python stacks follow position ``begin`` of the log, or the time is over."""
    end = time.monotonic() + _PYTHON_SECONDS
    with log.open("rb") as file:
        while time.monotonic() < end:
            file.seek(begin)
            if _CURRENT.search(file.read().decode(errors="replace")):
                break
            time.sleep(_POLL_SECONDS)
    time.sleep(_REST_SECONDS)


def _shows_stacks(pid: int) -> bool:
    """Whether the process handles the signal, which would kill it otherwise."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    except (OSError, StopIteration):
        return False
    return bool(int(caught, 16) >> (SHOW_STACKS - 1) & 1)


def _native(pid: int, log: BinaryIO) -> None:
    if tool := shutil.which("py-spy"):
        command = [tool, "dump", "--native", "--pid", str(pid)]
    elif tool := shutil.which("gdb"):
        flags = ("-iex", "set debuginfod enabled off", "-iex", "set auto-load off")
        command = [tool, "-batch", "-nx", *flags, "-p", str(pid)]
        command += ["-ex", f"thread apply all backtrace {_FRAMES}"]
    else:
        _write_heading(
            log, f"no native stacks of process {pid}: neither py-spy nor gdb is installed"
        )
        return
    _write_heading(log, f"native stacks of process {pid}, by {Path(tool).name}")
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=_NATIVE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _write_heading(log, f"{Path(tool).name} failed: {error}")


def _write_heading(log: BinaryIO, text: str) -> None:
    log.write(f"--- {text}\n".encode())
    log.flush()


def place(log: Path) -> str:
    """The place of the first Python stack in a log: file, line and function; empty without one."""
    stacks = log.read_text(errors="replace").partition(_PYTHON)[2]
    found = _CURRENT.search(stacks)
    return f"{Path(found[1]).name}, line {found[2]} in {found[3]}" if found else ""
