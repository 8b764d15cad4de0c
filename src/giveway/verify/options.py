"""The options of a run of checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The options that a user may choose."""

    device: str
    seed: int
    jobs: int = 1
    """The number of checks that run at the same time."""
    rivals: int = 0
    """The number of rivals of lower priority, and of higher priority, beside the checks."""
    logs: Path | None = None
    """The folder for all logs; None: logs of failed checks only, in a temporary folder."""
    anyway: bool = False
    """Whether to verify beside a daemon or tasks of other programs."""
    memory_bytes: int | None = None
    """The memory limit of one process and its children; see `Limits`."""
