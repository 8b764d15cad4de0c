"""The ranges of policies' parameters, for constructors: an error names the parameter."""

from __future__ import annotations

from giveway.errors import UsageError
from giveway.sched.attributes import show_duration

HOUR_NS = 3_600_000_000_000


def whole(name: str, value: int, low: int, high: int) -> int:
    """``value``, if it is in the range.

    Raises:
        UsageError: it is not.
    """
    if not low <= value <= high:
        raise UsageError(f"{name} cannot be {value}: allowed is {low} to {high}")
    return value


def time(name: str, value_ns: int, low_ns: int, high_ns: int) -> int:
    """A time in nanoseconds, if it is in the range.

    Raises:
        UsageError: it is not.
    """
    if not low_ns <= value_ns <= high_ns:
        allowed = f"{show_duration(low_ns)} to {show_duration(high_ns)}"
        raise UsageError(f"{name} cannot be {show_duration(value_ns)}: allowed is {allowed}")
    return value_ns
