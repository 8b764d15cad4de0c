"""The modes of a measurement: their names, their order, and what a name says about a mode."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MODES: Final = ("alone", "native", "giveway", "mps+giveway", "streams", "mps", "nice")
"""The modes that are measured by default, in the order in which they are measured and shown."""
ALLOWED: Final = f'{", ".join(MODES)}, or "giveway N%" and "mps+giveway N%" with N from 0 to 100'

_TOLERANT: Final = re.compile(r"(giveway|mps\+giveway) ?(\d{1,3}(?:\.\d{1,2})?) ?%")


def named(text: str) -> str:
    """The mode that a user names; ``giveway10%`` is ``giveway 10%``.

    Raises:
        ValueError: there is no such mode.
    """
    text = " ".join(text.split())
    if text in MODES:
        return text
    found = _TOLERANT.fullmatch(text)
    if found is None or float(found[2]) > 100:
        raise ValueError(f"unknown mode {text!r}: there are {ALLOWED}")
    return f"{found[1]} {float(found[2]):g}%"


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Modes in the order in which they are measured; ``giveway N%`` follow ``giveway`` by N."""
    return tuple(
        sorted(set(names), key=lambda mode: (MODES.index(kind(mode)), tolerance(mode) or 0.0, mode))
    )


def kind(mode: str) -> str:
    """The mode without its percentage."""
    return mode.partition(" ")[0]


def tolerance(mode: str) -> float | None:
    """The percentage in ``giveway N%``: the slowdown that the urgent program tolerates."""
    found = _TOLERANT.fullmatch(mode)
    return float(found[2]) if found else None


def split(key: str) -> tuple[str, str]:
    """The mode and the program in a key such as ``alone high``; the program may be missing."""
    if key in MODES or tolerance(key) is not None:
        return key, ""
    mode, _, program = key.rpartition(" ")
    return (mode, program) if mode else (key, "")


def gated(mode: str) -> bool:
    """Whether the programs run under giveway."""
    return kind(mode) in ("giveway", "mps+giveway")


def uses_mps(mode: str) -> bool:
    """Whether the programs are clients of NVIDIA's multi-process service."""
    return kind(mode) in ("mps", "mps+giveway")
