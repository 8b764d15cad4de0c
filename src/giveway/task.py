"""What giveway knows about one task, as a value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["active", "idle", "held"]

PRIORITY_MIN = -1000
PRIORITY_MAX = 1000


@dataclass(frozen=True, slots=True)
class Task:
    """One task on a device: a process, or a thread that opted into a task of its own.

    A snapshot: the counters are those of the moment it was taken.
    """

    ticket: int
    """Identifies the task on its device's page; never used twice."""
    device: str
    pid: int
    """Process id as the task's own PID namespace has it."""
    name: str
    priority: int
    """-1000 to 1000, bigger is more urgent."""
    state: State
    """``active``: has work and may run; ``held``: has work and is outranked; ``idle``: no work."""
    is_thread: bool
    launches: int
    """Launches so far: outermost parallel regions and gated operators on the cpu device; kernels,
    graphs, copies and memsets on a GPU."""
    operators: int
    """Of these, single-threaded torch operators."""
    holds: int
    """Launches that met a closed gate."""
    held_seconds: float
    """Time spent at a closed gate, summed over threads."""
    preemptions: int
    """How often the gate closed while the task had work."""
    joined_seconds: float
    """When the task joined, on the monotonic clock."""

    def to_json(self) -> dict[str, object]:
        return asdict(self)
