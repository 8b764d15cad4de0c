"""A time limit for code that is not ours, in the main thread of a process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from types import FrameType

P = ParamSpec("P")
T = TypeVar("T")

LIMIT_SECONDS: Final = 0.05
"""How long a policy may take."""
LIMIT_WAITING_SECONDS: Final = 0.2
"""The same where it was on a core for less than half of that time: a busy machine is no fault."""


class TooSlowError(BaseException):
    """What runs into the limit gets this; no Exception, so that a policy's own handlers let it
    pass."""


class TimeLimit:
    """Interrupts a call that takes too long, also one that sleeps or never ends.

    Python acts on a signal between two bytecodes only: what loops inside C code is beyond this. One
    object in a process, made in its main thread.
    """

    def __init__(self) -> None:
        self._armed = False
        self._began = 0.0
        self._used = 0.0
        signal.signal(signal.SIGALRM, self._expired)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``function(*args)``.

        Raises:
            TooSlowError: it took too long, and was interrupted where it was.
        """
        self._began, self._used = time.monotonic(), time.thread_time()
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS, LIMIT_SECONDS)
        try:
            try:
                return function(*args, **kwargs)
            finally:
                self._armed = False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _expired(self, _number: int, _frame: FrameType | None) -> None:
        if not self._armed:
            return  # it was done a moment before
        seconds = time.monotonic() - self._began
        used = time.thread_time() - self._used
        if used >= LIMIT_SECONDS / 2 or seconds >= LIMIT_WAITING_SECONDS:
            raise TooSlowError(f"took longer than {LIMIT_SECONDS * 1000:.0f} ms")
