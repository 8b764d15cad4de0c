"""Notes the programs that a check starts without giveway's libraries.

Such a child computes ungated, and writes no trace. So nothing else would show that its outputs were
computed twice without giveway.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_NOTES: Final = "ungated.txt"
_VARIABLES: Final = ("LD_PRELOAD", "LD_LIBRARY_PATH")
_NEVER_COMPUTE: Final = {"ldconfig"}
"""Programs that Python's ``ctypes.util`` starts in an empty environment."""
_EVENTS: Final = {"subprocess.Popen": 3, "os.exec": 2, "os.posix_spawn": 2}
"""Python's audit events, each with the position of the environment among its arguments."""


def watch(folder: Path) -> None:
    """Notes, from now on, what this process and its forked children start without giveway.

    Has no effect in a process that runs without giveway itself.
    """
    wanted = {
        key: entry
        for key in _VARIABLES
        for entry in _entries(os.environ, key)
        if "giveway" in entry
    }
    notes = os.open(folder / _NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        at = _EVENTS.get(event)
        if at is None:
            return
        name = os.fsdecode(arguments[0])
        environment = os.environ if arguments[at] is None else arguments[at]
        lost = any(entry not in _entries(environment, key) for key, entry in wanted.items())
        if lost and os.path.basename(name) not in _NEVER_COMPUTE:
            os.write(notes, f"{name}\n".encode(errors="replace"))

    if wanted:
        sys.addaudithook(audit)


def ungated(folder: Path) -> list[str]:
    """The programs that were noted, each once."""
    return list(dict.fromkeys((folder / _NOTES).read_text(errors="replace").splitlines()))


def _entries(environment: Mapping[Any, Any], key: str) -> list[str]:
    value = environment.get(key)
    if value is None and not isinstance(environment, os._Environ):
        value = environment.get(key.encode())
    return os.fsdecode(value or "").replace(" ", ":").split(":")
