"""Runs a coroutine as `asyncio.run`, and never leaves a part of asyncio half built at Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from giveway.bench.signals import delayed_signals

T = TypeVar("T")


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Returns what the coroutine returns. Ctrl-C cancels it, as in `asyncio.run`.

    A handler that raises an exception while asyncio builds or closes an event loop would leave an
    object whose destructor prints a traceback.

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
