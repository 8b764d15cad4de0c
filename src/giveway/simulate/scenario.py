"""What is simulated, as values. Times are integer nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from giveway.sched.task import Attributes

MS = 1_000_000
SECOND = 1_000_000_000

Arrivals = Literal["fixed", "poisson", "saturating"]
Placement = Literal["next", "fractions", "urgent"]
"""Each copy on the next device; as Ray places fractions of devices; the same with the fractions of
`giveway.sched.placement`."""


@dataclass(frozen=True, slots=True)
class Model:
    """How devices and gates behave; the defaults are those of a GPU under giveway."""

    window_ns: int = 500_000
    """Device time that a task has in flight at most; 0: no bound. One launch may always be in
    flight."""
    gate_delay_ns: int = 100_000
    """From an event to the changed gate: the scheduler wakes, decides and writes."""
    linger_ns: int = 2 * MS
    """How long a task stays active after its last work; 0: it is idle between any two requests."""
    interrupt: bool = False
    """Whether a closed gate stops what runs, as on the cpu device; then there is no window."""
    max_wait_ns: int = SECOND
    """After how long a held task gets a turn all the same; 0: never."""
    quantum_ns: int = 10 * MS
    """How long that turn is; who runs yields meanwhile."""
    timeslice_ns: int = 2 * MS
    """How long the device itself serves one task before it serves the next that has launches in
    flight. A launch is never divided."""


@dataclass(frozen=True, slots=True)
class Program:
    """One kind of program; ``count`` of them run."""

    name: str
    arrivals: Arrivals
    launch_ns: int
    """Device time of one launch."""
    launches: int = 1
    """Of one request or batch; the program waits for the last before it goes on."""
    jitter: float = 0.0
    """Launches take ``launch_ns`` times 1 - jitter to 1 + jitter."""
    period_ns: int = 0
    """Mean time between requests; of saturating ones, between the end of a batch and the next
    (what the host does in between)."""
    phase_ns: int | None = None
    """When the first request of fixed arrivals is due; None: at random in the first period."""
    count: int = 1
    device: int | None = None
    """Where they run; None: each on the next device."""
    gpus: float = 1.0
    """The fraction of a device that it asks for, where fractions are placed."""
    process: str | None = None
    """Programs that say the same are tasks of one process; None: each is a process of its own."""
    start_ns: int = 0
    stop_ns: int | None = None
    attributes: Attributes = field(default_factory=Attributes)


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    programs: tuple[Program, ...]
    duration_ns: int = 30 * SECOND
    warm_ns: int = SECOND
    """At the head, not counted."""
    seed: int = 0
    devices: int = 1
    devices_per_node: int = 8
    placement: Placement = "next"
    spread: bool = False
    """Whether Ray is told to spread tasks over nodes."""
    model: Model = Model()
