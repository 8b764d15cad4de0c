"""Where a process hangs: the stacks of its threads, Python's and the native ones."""

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
"""A process that has no core is this late to write its stacks, or does not get to it at all."""
_REST_SECONDS: Final = 0.2
"""For the stacks of its other threads, which follow at once."""
_POLL_SECONDS: Final = 0.1
_NATIVE_SECONDS: Final = 45.0
_FRAMES: Final = 40
_PROCESSES: Final = 8
_PYTHON: Final = "Python stacks of process"
_CURRENT: Final = re.compile(r'Current thread .*\n  File "(.+)", line (\d+) in (.+)')


def write(pids: Sequence[int], log: BinaryIO) -> None:
    """Appends to ``log`` the stacks of a process and its children, of the first few where there
    are many. The process writes there too.

    The native ones by py-spy or gdb, where one of them is installed. Python's by the process's own
    faulthandler, which works inside a C call as well; last, as its signal ends some system calls
    early, after which the process may go on.
    """
    for pid in pids[:_PROCESSES]:
        _native(pid, log)
    for pid in pids[:_PROCESSES]:
        if _shows_stacks(pid):
            _say(log, f"{_PYTHON} {pid}")
            begin = os.fstat(log.fileno()).st_size
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, SHOW_STACKS)
                _wait_for_stacks(Path(log.name), begin)


def _wait_for_stacks(log: Path, begin: int) -> None:
    """Until Python stacks have been written behind that place in the log."""
    end = time.monotonic() + _PYTHON_SECONDS
    with log.open("rb") as file:
        while time.monotonic() < end:
            file.seek(begin)
            if _CURRENT.search(file.read().decode(errors="replace")):
                break
            time.sleep(_POLL_SECONDS)
    time.sleep(_REST_SECONDS)


def _shows_stacks(pid: int) -> bool:
    """Whether the process has a handler for the signal, which would end it otherwise."""
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
        settings = ("-iex", "set debuginfod enabled off", "-iex", "set auto-load off")
        command = [tool, "-batch", "-nx", *settings, "-p", str(pid)]
        command += ["-ex", f"thread apply all backtrace {_FRAMES}"]
    else:
        _say(log, f"no native stacks of process {pid}: neither py-spy nor gdb is installed")
        return
    _say(log, f"native stacks of process {pid}, by {Path(tool).name}")
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
        _say(log, f"{Path(tool).name} failed: {error}")


def _say(log: BinaryIO, text: str) -> None:
    log.write(f"--- {text}\n".encode())
    log.flush()


def place(log: Path) -> str:
    """Where the first thread of Python stacks in the log was: file, line and function."""
    stacks = log.read_text(errors="replace").partition(_PYTHON)[2]
    found = _CURRENT.search(stacks)
    return f"{Path(found[1]).name}, line {found[2]} in {found[3]}" if found else ""
