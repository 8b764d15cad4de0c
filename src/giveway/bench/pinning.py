"""Pins each program to cores, which are the same in all modes.

On a GPU, each program has its own cores, so that the programs compete only for the device. On the
``cpu`` device, programs share the cores, and each may use all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Final

_LEAST: Final = 2
"""The fewest cores for each program; with fewer, programs are not pinned."""


def prefixes(
    programs: Sequence[str], device: str, cores: Sequence[int]
) -> Mapping[str, Sequence[str]]:
    """The prefix of the command of each program, by name; empty if programs are not pinned."""
    each = len(cores) // max(1, len(programs))
    if device == "cpu" or len(programs) < 2 or each < _LEAST or shutil.which("taskset") is None:
        return {}
    blocks = [cores[each * at : each * (at + 1)] for at in range(len(programs))]
    return {
        name: ("taskset", "--cpu-list", ",".join(map(str, block)))
        for name, block in zip(programs, blocks, strict=True)
    }
