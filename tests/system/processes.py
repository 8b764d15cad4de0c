"""Which processes a test has started, and whether they are gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil


def started_under(pages: Path) -> list[str]:
    """The programs that have this folder of gate pages in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("GIVEWAY_DIR") == str(pages) and process.pid != os.getpid():
                found.append(" ".join(process.cmdline()))
    return found


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=30)
    return not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


def interrupt(process: subprocess.Popen[str]) -> int:
    """Presses Ctrl-C: the command must end with 130, print no traceback, and leave no process.

    Returns:
        the number of its child processes until then.
    """
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert all_gone(children)
    return len(children)
