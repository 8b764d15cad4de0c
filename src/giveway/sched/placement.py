"""The fraction of a device that a task reserves: one urgent task, others beside it.

For schedulers such as Ray, which place tasks by fractions. `giveway.ray` requests these fractions
and `giveway.simulate` places tasks by them. docs/decisions/0016-ray.md has the reasons.
"""

from __future__ import annotations

import math
from typing import Final

URGENT: Final = 0.95
"""Above one half, so that no two urgent tasks fit on a device. So far above one half that the
remainders of several devices of a node never add up to room for another urgent task."""
BESIDE: Final = 0.05
"""The fraction that an urgent task leaves for other tasks on its device."""
PRECISION: Final = 4
"""Decimal places of a fraction that Ray keeps."""


def fraction(urgent: bool, share: float | None = None) -> float:
    """The part of a device that a task reserves, above 0 and below 1.

    Args:
        urgent: whether the task takes the one urgent place of a device.
        share: percent, above 0 to 100. Tasks that are not urgent fit beside an urgent task as long
            as their shares add up to at most 100. None: 100.
    """
    if urgent:
        return URGENT
    part = BESIDE if share is None else BESIDE * share / 100
    # Down, so that shares that add up to 100 fit. Less than a unit of 1e-9 is no part, but the
    # rounding of floating point.
    units = math.floor(part * 10**PRECISION + 1e-9)
    return max(units, 1) / 10**PRECISION
