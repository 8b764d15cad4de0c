"""A time limit for code that is not ours, in the main thread of a process."""

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
"""How long a policy may take: of work or of sleep, not of waiting for a core."""
BLIND_LIMIT_SECONDS: Final = 0.2
"""The same in all, where nobody counts the waiting."""
ROUNDING: Final = 0.9
"""The kernel's two clocks do not agree to the last microsecond."""
TICK_SECONDS: Final = 0.02
"""How often a call's time is looked at."""
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
        self._ticks = False
        self._unused = True
        self._began = self._worked = 0.0
        self._ticked = 0
        signal.signal(signal.SIGALRM, self._tick)
        # Python takes the handler away as it ends, and a tick that finds none ends the process.
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
        self.rest()

    def rest(self) -> None:
        """To be called every now and then between calls: who waited for a core before this did not
        do so within a call to come. Not done by `call`, which is to begin at once."""
        self._waited_before = _waited()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``function(*args)``.

        Raises:
            TooSlowError: it took too long, and was interrupted where it was.
        """
        self._unused = False
        self._ticked = 0
        self._worked = time.thread_time()
        self._began = time.monotonic()
        self._armed = True
        if not self._ticks:  # to start the timer for each call would take it 10 us
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
        # Who sleeps sees every tick. Where they did not come, this process was stopped, and that is
        # nobody's time, or it worked.
        self._ticked += 1
        seen = self._ticked * TICK_SECONDS
        took = min(took, max(seen, time.thread_time() - self._worked))
        if took >= limit * ROUNDING:
            raise TooSlowError(f"took longer than {LIMIT_SECONDS * 1000:.0f} ms")


def _waited() -> float | None:
    """Seconds for which the calling thread has waited for a core; None where nobody counts them."""
    try:
        return int(WAITS.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
