"""The processors that giveway is built for, in the words of ELF and of the loader."""

from __future__ import annotations

import platform
from typing import Final, NamedTuple


class Processor(NamedTuple):
    """One kind of processor."""

    name: str
    elf_machine: int
    """``e_machine`` in the header of its files."""
    multiarch: str
    """Debian's name for the folder of its libraries."""
    cache_flag: int
    """What the loader's cache says of its libraries."""


PROCESSORS: Final = {
    processor.name: processor
    for processor in (
        Processor("x86_64", 62, "x86_64-linux-gnu", 0x0300),
        Processor("aarch64", 183, "aarch64-linux-gnu", 0x0A00),
    )
}


def of_this_machine() -> Processor:
    """The processor of this machine; x86-64 where giveway knows no other."""
    return PROCESSORS.get(platform.machine(), PROCESSORS["x86_64"])
