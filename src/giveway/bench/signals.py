"""Delays signals that would end this process in the middle of a step that must be whole.

A signal inside `subprocess.Popen` would otherwise end the caller after the program has started and
before the caller knows it, and the program would be left running.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

# SIGINT comes first, because its handler raises an exception: while the others are set and reset,
# it is delayed.
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def delayed_signals() -> Iterator[None]:
    """Delays SIGINT, SIGTERM and SIGHUP until the block has ended.

    Python runs handlers in the main thread only, so that nothing interrupts a block in another
    thread. The signals are not masked: the program would inherit the mask, and another thread would
    receive the signal. A signal that is ignored stays ignored, also in the program.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int] = {}
    try:
        for number in _ENDING:
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):  # None: the handler is not Python's
                before[number] = handler
                signal.signal(number, note)
        yield
    finally:
        for number in reversed(before):
            signal.signal(number, before[number])
        for noted in came:
            signal.raise_signal(noted)
