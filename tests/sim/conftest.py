"""No process, no compiler, no clock, no torch."""

from __future__ import annotations

from tests.purity import refusals

__all__ = ["refusals"]
