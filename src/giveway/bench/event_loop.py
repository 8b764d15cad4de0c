"""`asyncio.run` without a half-built event loop after Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from giveway.bench.signals import delayed_signals

T = TypeVar("T")


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine and returns its result. Ctrl-C cancels the coroutine, as in `asyncio.run`.

    Signals wait while asyncio builds or closes the event loop. An exception from a signal handler
    would leave a half-built loop, whose destructor prints a traceback.

    Args:
        work: makes the coroutine.
    """
    with delayed_signals():
        runner = asyncio.Runner()
        runner.get_loop()
    try:
        return runner.run(work())
    finally:
        with delayed_signals():
            runner.close()
