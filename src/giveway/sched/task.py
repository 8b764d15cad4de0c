"""What giveway knows about one task, as a value; what happens to it, and what is decided about it.

Times are integer nanoseconds of the monotonic clock where a name ends in ``_ns``, float seconds
where it ends in ``_seconds``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple, TypeAlias

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
    closed_seconds: float = 0.0
    """When its gate last closed, or it last became active, on the monotonic clock; 0: never."""
    stopped_seconds: float = 0.0
    """When what ran as a gate closed was last seen stopped, on the monotonic clock: of an earlier
    closing if before ``closed_seconds``. 0: never, as on a GPU, where only the device knows."""

    def to_json(self) -> dict[str, object]:
        return asdict(self)


class TaskId(NamedTuple):
    """Which task: a ticket is never used twice on its device."""

    device: str
    ticket: int


@dataclass(frozen=True, slots=True)
class Attributes:
    """What users say about a task.

    The task's own, not a policy's: each policy reads what it needs, and a switch of policy loses
    nothing. ``giveway.sched.attributes`` has their ranges and spellings.
    """

    priority: int = 0
    """-1000 to 1000, bigger is more urgent."""
    weight: float = 1.0
    """Relative claim on the device: one of weight 2 gets twice what one of weight 1 gets."""
    share: float | None = None
    """Percent of the device's time; None: what is not promised to others."""
    deadline_ns: int | None = None
    """How long after it became active the task should be done; None: whenever."""
    laxity_ns: int | None = None
    """How long a task that became active may wait in all and still be in time."""
    slice_ns: int | None = None
    """How long a turn is, for policies that take turns; None: as the policy has it."""
    nice: int = 0
    """The process's CPU nice value, -20 (most urgent) to 19."""
    group: str = ""
    """Tasks of one group share what the group is given; empty: those of one process do."""
    focused: bool = False
    """Whether the user is looking at the process's window."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A task came to a device. It is idle, and its gate is open."""

    task: TaskId
    pid: int
    name: str
    attributes: Attributes = Attributes()

    @property
    def device(self) -> str:
        return self.task.device


@dataclass(frozen=True, slots=True)
class Left:
    """A task is gone: nothing can be decided about it any more."""

    task: TaskId

    @property
    def device(self) -> str:
        return self.task.device


@dataclass(frozen=True, slots=True)
class Active:
    """An idle task has work."""

    task: TaskId

    @property
    def device(self) -> str:
        return self.task.device


@dataclass(frozen=True, slots=True)
class Idle:
    """An active task is done."""

    task: TaskId

    @property
    def device(self) -> str:
        return self.task.device


@dataclass(frozen=True, slots=True)
class Changed:
    """A task has other attributes than before."""

    task: TaskId
    attributes: Attributes

    @property
    def device(self) -> str:
        return self.task.device


@dataclass(frozen=True, slots=True)
class Tick:
    """The time has come for which a `WakeAt` asked, or something else calls for another look."""

    device: str


Event: TypeAlias = Joined | Left | Active | Idle | Changed | Tick


class Only(NamedTuple):
    """Of all tasks of a device these may launch, and the others wait for the first of them that has
    work. Who waits already goes on waiting for whom it does, for as long as that one has work.

    One decision however many tasks there are: it is what most policies say, at each event."""

    device: str
    tasks: Collection[TaskId]


class Open(NamedTuple):
    """The task may launch."""

    task: TaskId


class Close(NamedTuple):
    """The task waits before its next launch."""

    task: TaskId
    holder: TaskId | None = None
    """For whom it waits, where it is for somebody: what ``giveway events`` shows, and the reason
    for which a whole device may stay closed."""


class WakeAt(NamedTuple):
    """Asks for a `Tick` for the device. There is one timer for each: this replaces what was asked
    before; None cancels it."""

    device: str
    at_ns: int | None


Decision: TypeAlias = Only | Open | Close | WakeAt
