"""The controller of slack, as libgiveway runs it in programs: for simulations."""

from __future__ import annotations

import ctypes
import functools
import weakref

from giveway.errors import PageError
from giveway.page.library import declare, library


@functools.cache
def _library() -> ctypes.CDLL:
    lib = library()
    u64, pointer, scene = ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int
    declare(
        lib,
        ("gw_slack_new", pointer, (ctypes.c_double, u64, u64)),
        ("gw_slack_free", None, (pointer,)),
        ("gw_slack_begin", None, (pointer, u64, scene, u64)),
        ("gw_slack_step", u64, (pointer, u64, u64, scene, u64)),
        ("gw_slack_end", None, (pointer, u64)),
        ("gw_slack_together", ctypes.c_int, (pointer,)),
        ("gw_slack_speed", ctypes.c_double, (pointer,)),
    )
    return lib


class Slack:
    """A task's controller. It has no clock: the caller passes ``now`` and the progress in."""

    def __init__(self, tolerance: float, drain_ns: int, settle_ns: int) -> None:
        """
        Args:
            tolerance: the slowdown that the task tolerates, 0.1 for 10 %.
            drain_ns: the work of others that goes on behind a closed gate.
            settle_ns: how long this work may take.
        """
        self._lib = _library()
        self._handle = self._lib.gw_slack_new(tolerance, drain_ns, settle_ns)
        if not self._handle:
            raise PageError("no memory for a controller of slack")
        weakref.finalize(self, self._lib.gw_slack_free, self._handle)

    def begin(self, now: int, scene: int, beside: int) -> None:
        """An episode begins; ``step`` is due at once."""
        self._lib.gw_slack_begin(self._handle, now, scene, beside)

    def step(self, now: int, progress: int, scene: int, beside: int) -> int:
        """Decides whether others are to run beside the task; returns when to call again."""
        return int(self._lib.gw_slack_step(self._handle, now, progress, scene, beside))

    def end(self, now: int) -> None:
        """The episode is over."""
        self._lib.gw_slack_end(self._handle, now)

    @property
    def together(self) -> bool:
        return bool(self._lib.gw_slack_together(self._handle))

    @property
    def speed(self) -> float:
        """The speed beside others, of that without, as far as it is known."""
        return float(self._lib.gw_slack_speed(self._handle))
