"""Decides how long a measurement goes on, and at which rate, where it has to end in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from giveway.results.rounds import Described, disturbed, fault, service_ms

CHOOSING: Final = 0.4
"""The share of the time after which sizes and rates are taken as they are."""
_REST: Final = 4
"""How many more segments as long as a repeated one a round needs at most after it."""


class Pace:
    """The time that a measurement may take, on any clock."""

    def __init__(self, began: float, until: float, round_seconds: float) -> None:
        """Takes the time from ``began`` to ``until``, and how long a round is at least."""
        self._until = until
        self._choose_until = began + CHOOSING * (until - began)
        self._longest = round_seconds

    def may_choose(self, now: float) -> bool:
        """Whether there is time to look for a better size or rate."""
        return now < self._choose_until

    def may_begin(self, now: float) -> bool:
        """Whether a round that begins now ends in time, if it is as long as the longest so far."""
        return now + self._longest <= self._until

    def may_repeat(self, now: float, seconds: float) -> bool:
        """Whether a segment that took so many seconds may be measured once more."""
        return now + (1 + _REST) * seconds <= self._until

    def ended(self, seconds: float) -> None:
        """Notes how long a round took."""
        self._longest = max(self._longest, seconds)


def better_service_ms(segment: Mapping[str, Any], name: str, described: Described) -> float | None:
    """The time of a request by which the rate of a program has to be chosen anew.

    None if the program kept up with its rate alone, or if the segment does not say why it did not:
    other programs used the machine, or no request was answered.
    """
    if not described.open_loop or described.service_ms is None:
        return None
    if disturbed(segment) is not None or fault(segment, {name: described}) is None:
        return None
    return service_ms(segment["programs"][name], described)
