"""What tasks take of a device where something else places them: one urgent task, others beside it.

Values only: `giveway.ray` asks Ray for these fractions and `giveway.simulate` places by them.
Why these and not others: docs/decisions/0016-ray.md.
"""

from __future__ import annotations

from typing import Final

URGENT: Final = 0.95
"""More than half, so that no two fit on a device; so much more that what several urgent tasks
leave on one node never adds up to room for another."""
BESIDE: Final = 0.05
"""For others, beside an urgent task."""
PRECISION: Final = 4
"""Decimal places that Ray keeps of a fraction."""


def fraction(urgent: bool, share: float | None = None) -> float:
    """The part of a device, of 1, that a task asks for.

    Args:
        urgent: whether it wants the one urgent place.
        share: percent, above 0 to 100: of those that are not urgent, as many fit beside an urgent
            task as their shares add up to 100. None: one does.
    """
    if urgent:
        return URGENT
    part = BESIDE if share is None else BESIDE * share / 100
    return max(round(part, PRECISION), 10**-PRECISION)
