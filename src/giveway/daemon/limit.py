"""A time limit for foreign code in the main thread of a process."""

from __future__ import annotations

import atexit
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from types import FrameType

P = ParamSpec("P")
T = TypeVar("T")

LIMIT_SECONDS: Final = 0.05
"""How long a policy may compute or sleep, not counting the time that it waits for a core."""
BLIND_LIMIT_SECONDS: Final = 0.2
"""The limit on systems that do not report how long a thread waits for a core."""
ROUNDING: Final = 0.9
"""Tolerance, because two clocks of the kernel differ by some microseconds."""
TICK_SECONDS: Final = 0.02
"""The interval at which the time of a call is checked."""
WAITS: Final = Path("/proc/thread-self/schedstat")
"""The second number is the time in nanoseconds that the thread was runnable without a core."""


class TooSlowError(BaseException):
    """Raised inside a call that exceeds the limit. Not an Exception, so that the handlers of a
    policy do not catch it."""


class TimeLimit:
    """Interrupts a call that takes too long, even if it sleeps or never ends.

    Python handles signals only between two bytecodes, so a loop in C code is not interrupted. A
    process has at most one object, made in its main thread.
    """

    def __init__(self) -> None:
        self._armed = False
        self._ticks = False
        self._unused = True
        self._began = self._worked = 0.0
        self._ticked = 0
        signal.signal(signal.SIGALRM, self._tick)
        # Python removes the handler as it exits; a tick without a handler would end the process.
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
        self.sample_waiting()

    def sample_waiting(self) -> None:
        """Reads how long the thread has waited for a core so far, as the baseline of later calls.

        To be called regularly between calls. `call` does not do this itself, to start without
        delay.
        """
        self._waited_before = _waited()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns ``function(*args, **kwargs)``.

        Raises:
            TooSlowError: the call took too long and was interrupted.
        """
        self._unused = False
        self._ticked = 0
        self._worked = time.thread_time()
        self._began = time.monotonic()
        self._armed = True
        if not self._ticks:  # starting the timer for each call would cost 10 us
            self._ticks = True
            signal.setitimer(signal.ITIMER_REAL, TICK_SECONDS, TICK_SECONDS)
        try:
            try:
                return function(*args, **kwargs)
            finally:
                self._armed = False
        finally:  # a tick may have come before the line above
            self._armed = False

    def _tick(self, _number: int, _frame: FrameType | None) -> None:
        if not self._armed:
            if self._unused:
                signal.setitimer(signal.ITIMER_REAL, 0)
                self._ticks = False
            self._unused = True
            return
        took, waited = time.monotonic() - self._began, _waited()
        limit = BLIND_LIMIT_SECONDS
        if waited is not None and self._waited_before is not None:
            took -= waited - self._waited_before
            limit = LIMIT_SECONDS
        # A sleeping call receives every tick. Missing ticks mean that the call computed, which the
        # thread's CPU time shows, or that the process was stopped, which is not charged.
        self._ticked += 1
        seen = self._ticked * TICK_SECONDS
        took = min(took, max(seen, time.thread_time() - self._worked))
        if took >= limit * ROUNDING:
            raise TooSlowError(f"took longer than {LIMIT_SECONDS * 1000:.0f} ms")


def _waited() -> float | None:
    """How long the calling thread has waited for a core, in seconds; None where not reported."""
    try:
        return int(WAITS.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
