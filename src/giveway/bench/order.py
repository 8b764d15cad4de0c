"""The order in which the segments of a round are measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from giveway.bench.segments import Part, Segments
from giveway.scenarios.model import Program

Step = tuple[Segments, tuple[str, Part]]
"""The load, and the mode."""


def share_an_address(programs: Iterable[Program]) -> bool:
    """Whether some server has one address in all modes, and so starts anew when another mode
    follows."""
    servers = [program.server for program in programs if program.server is not None]
    return not all(server.own_port for server in servers)


def steps(
    loads: Sequence[Segments], modes: Sequence[tuple[str, Part]], shared_address: bool
) -> list[Step]:
    """The steps of a round.

    The modes of a load follow each other, so that they meet the same state of the machine. A server
    that shares its address starts anew when the mode changes, so with one the loads of a mode
    follow each other.
    """
    if shared_address:
        return [(load, mode) for mode, load in product(modes, loads)]
    return list(product(loads, modes))
