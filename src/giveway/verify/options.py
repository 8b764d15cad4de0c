"""How checks are run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may choose."""

    device: str
    seed: int
    jobs: int = 1
    """Checks at a time."""
    rivals: int = 0
    """Tasks of lower and as many of higher priority that come and go beside them."""
    logs: Path | None = None
    """Where all logs are kept; None: only those of what failed, in a temporary folder."""
    memory_bytes: int | None = None
    """For one process and its children; see `Limits`."""
