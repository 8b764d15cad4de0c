"""Waits for a condition, with a limit that no busy machine reaches."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from giveway.errors import DaemonError


def eventually(condition: Callable[[], object], seconds: float = 30, every: float = 0.05) -> bool:
    """Whether the condition becomes true. A missing task or daemon counts as not yet true."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(DaemonError, LookupError):
            if condition():
                return True
        if time.monotonic() > end:
            return False
        time.sleep(every)
