"""The input of a simulation, as values. Times are integer nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from giveway.sched.task import Attributes

MS = 1_000_000
SECOND = 1_000_000_000

Arrivals = Literal["fixed", "poisson", "saturating"]
Placement = Literal["next", "fractions", "urgent"]
"""``next``: each copy on the next device. ``fractions``: as Ray places the stated fractions.
``urgent``: as Ray places the fractions of `giveway.sched.placement`."""


@dataclass(frozen=True, slots=True)
class Model:
    """The behaviour of devices and gates; the defaults are those of a GPU under giveway."""

    window_ns: int = 500_000
    """The device time that a task may have in flight; 0: no bound. One launch is always allowed."""
    gate_delay_ns: int = 100_000
    """From an event to the changed gate: the scheduler wakes, decides and writes."""
    linger_ns: int = 2 * MS
    """The idle timeout: how long a task stays active after its last work. 0: the task becomes idle
    after every request."""
    interrupt: bool = False
    """Whether a closed gate stops running work, as on the cpu device; there is no window then."""
    max_wait_ns: int = SECOND
    """How long a task is held before it gets a turn; 0: it gets none."""
    quantum_ns: int = 10 * MS
    """The length of a turn; running tasks yield during it."""
    timeslice_ns: int = 2 * MS
    """How long the device serves one task before it serves the next task with launches in flight.
    Launches are never divided."""
    beside: Mapping[str, float] | None = None
    """Tasks run side by side, and slow each other down: the factor for each ``kind*other``, where
    it is not 1. None: the device serves one task at a time."""


@dataclass(frozen=True, slots=True)
class Program:
    """One kind of program, of which ``count`` copies run."""

    name: str
    arrivals: Arrivals
    launch_ns: int
    """Device time of one launch."""
    launches: int = 1
    """The launches of one request or batch. The program waits for the last one before it goes on.
    """
    jitter: float = 0.0
    """Launches take ``launch_ns`` times 1 - jitter to 1 + jitter."""
    period_ns: int = 0
    """Mean time between requests; for saturating arrivals, the host time between the end of a batch
    and the next batch."""
    phase_ns: int | None = None
    """The time of the first request of fixed arrivals; None: random within the first period."""
    count: int = 1
    device: int | None = None
    """The device of all copies; None: each copy on the next device."""
    gpus: float = 1.0
    """The fraction of a device that each copy requests under the placement ``fractions``."""
    kind: str = ""
    """The kind of its work, for `Model.beside`; empty: its name."""
    process: str | None = None
    """Programs with the same value are tasks of one process; None: a process of its own."""
    start_ns: int = 0
    stop_ns: int | None = None
    attributes: Attributes = field(default_factory=Attributes)


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    programs: tuple[Program, ...]
    duration_ns: int = 30 * SECOND
    warm_ns: int = SECOND
    """The warm-up at the start, which is not counted."""
    seed: int = 0
    devices: int = 1
    devices_per_node: int = 8
    placement: Placement = "next"
    spread: bool = False
    """Whether Ray spreads tasks over nodes (strategy SPREAD)."""
    model: Model = Model()
