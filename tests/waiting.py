"""Waiting for what is to be so: how long that takes says how busy the machine is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from giveway.errors import DaemonError


def eventually(condition: Callable[[], object], seconds: float = 30, every: float = 0.05) -> bool:
    """Whether it comes to be so; that there is no such task or daemon counts as not yet."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(DaemonError, LookupError):
            if condition():
                return True
        if time.monotonic() > end:
            return False
        time.sleep(every)
