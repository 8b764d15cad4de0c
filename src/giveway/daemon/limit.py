"""A time limit for code that is not ours, in the main thread of a process."""

from __future__ import annotations

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
"""How long a policy may take."""
WAITS: Final = Path("/proc/thread-self/schedstat")
"""Its second number: nanoseconds for which the thread could have run and had no core."""


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
        self._used = 0.0
        self._looked: tuple[float, float] | None = None
        signal.signal(signal.SIGALRM, self._expired)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``function(*args)``.

        Raises:
            TooSlowError: it took too long, and was interrupted where it was.
        """
        self._used = time.thread_time()
        self._looked = None
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
        now, used = time.monotonic(), time.thread_time() - self._used
        # A busy machine is no fault of the policy: what counts is the time that it has worked, or
        # slept, and not that for which it had no core. Of the first 50 ms only the former is known.
        waited = _waited()
        if self._looked is None:
            self._looked = now, waited
        began, waited_before = self._looked
        if used >= LIMIT_SECONDS / 2 or now - began - (waited - waited_before) >= LIMIT_SECONDS:
            raise TooSlowError(f"took longer than {LIMIT_SECONDS * 1000:.0f} ms")


def _waited() -> float:
    """Seconds for which the calling thread has waited for a core; 0 where nobody counts them."""
    try:
        return int(WAITS.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
