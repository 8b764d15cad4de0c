"""The list in LD_PRELOAD. Its entries are separated by spaces or colons; there is no quoting.

native/exec does the same for the children of a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

EXEC: Final = "libgiveway-exec.so"
"""The library that lets children start that cannot load the others."""


def entries(preload: str) -> list[str]:
    """The entries of a list."""
    return [entry for entry in preload.replace(" ", ":").split(":") if entry]


def is_asan(entry: str) -> bool:
    """Whether an entry, or a name of a needed library, is AddressSanitizer's runtime."""
    return entry.rpartition("/")[2].startswith(("libasan.so", "libclang_rt.asan"))


def add(ours: Sequence[Path], preload: str, replaced: Path) -> str:
    """A list with giveway's libraries before all others.

    Only AddressSanitizer's runtime stays before them: it ends a program in which it is not first.

    Args:
        ours: the libraries of giveway; those that are listed already are not listed twice.
        preload: the list of the user.
        replaced: a library of giveway that ``ours`` replaces.
    """
    known = {*map(str, ours), str(replaced)}
    others = [entry for entry in entries(remove(preload)) if entry not in known]
    first = max((at + 1 for at, entry in enumerate(others) if is_asan(entry)), default=0)
    return ":".join([*others[:first], *map(str, ours), *others[first:]])


def remove(preload: str) -> str:
    """A list without giveway's libraries: those in the folder of `EXEC`, and below."""
    listed = entries(preload)
    folders = [entry.removesuffix(EXEC) for entry in listed if entry.rpartition("/")[2] == EXEC]
    return ":".join(entry for entry in listed if not any(map(entry.startswith, folders)))
