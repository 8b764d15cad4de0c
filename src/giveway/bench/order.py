"""The order in which the segments of a round are measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from giveway.bench.segments import Part, Segments

Step = tuple[Segments, tuple[str, Part]]
"""The load, and the mode."""


def steps(
    loads: Sequence[Segments], modes: Sequence[tuple[str, Part]], servers: bool
) -> list[Step]:
    """The steps of a round.

    The modes of a load follow each other, so that they meet the same state of the machine. A server
    starts anew when the mode changes, so with servers the loads of a mode follow each other.
    """
    if servers:
        return [(load, mode) for mode, load in product(modes, loads)]
    return list(product(loads, modes))
