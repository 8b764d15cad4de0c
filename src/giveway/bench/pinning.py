"""Which cores each program may use: the same in all modes.

Beside a GPU, programs have cores of their own, so that they meet on the device and nowhere else. On
the ``cpu`` device the cores are what they share, and each may use all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Final

_LEAST: Final = 2
"""Cores for each program, below which it would rather share."""


def prefixes(
    programs: Sequence[str], device: str, cores: Sequence[int]
) -> Mapping[str, Sequence[str]]:
    """What to put before the command of each program, by its name; nothing where none is pinned."""
    each = len(cores) // max(1, len(programs))
    if device == "cpu" or len(programs) < 2 or each < _LEAST or shutil.which("taskset") is None:
        return {}
    blocks = [cores[each * at : each * (at + 1)] for at in range(len(programs))]
    return {
        name: ("taskset", "--cpu-list", ",".join(map(str, block)))
        for name, block in zip(programs, blocks, strict=True)
    }
