"""The names of modes and programs, as every output gives them: page, Markdown, terminal, demo."""

from __future__ import annotations

from typing import Final

from giveway.scenarios.modes import kind, tolerance

_MODES: Final = {
    "alone": "alone",
    "native": "without giveway",
    "giveway": "with giveway",
    "streams": "with stream priorities",
    "mps": "with MPS",
    "mps+giveway": "with MPS and giveway",
    "nice": "with nice",
}
DEMO: Final = {"high": "urgent", "low": "other"}
"""The programs of the scenario ``dual`` for a newcomer; result files keep their own names."""


def mode_name(mode: str) -> str:
    """The name of a mode within a sentence or in a table; JSON and options keep ``mode``."""
    tolerates = tolerance(mode)
    name = _MODES.get(kind(mode), mode)
    return name if tolerates is None else f"{name} at {tolerates:g}%"


def mode_name_at_start(mode: str) -> str:
    """The name of a mode at the start of a sentence."""
    name = mode_name(mode)
    return name[0].upper() + name[1:]
