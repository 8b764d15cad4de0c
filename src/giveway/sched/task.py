"""The values of the scheduler: tasks and their attributes, events, and decisions.

Times are integer nanoseconds of the monotonic clock where a name ends in ``_ns``, float seconds
where it ends in ``_seconds``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

State = Literal["active", "idle", "held", "parking", "parked", "unparking"]
Slack = Literal["", "unknown", "within", "beyond"]
SLACKS: Final[tuple[Slack, ...]] = get_args(Slack)
"""In the order of ``enum gw_slack_verdict``."""
Gate = Literal["regions", "operators", "whole process", "launches only", "device"]
GATES: Final[tuple[Gate, ...]] = get_args(Gate)
"""In the order of ``enum gw_gate_kind``."""

PRIORITY_MIN = -1000
PRIORITY_MAX = 1000


@dataclass(frozen=True, slots=True)
class Task:
    """One task on a device: a process, or a thread that opted into a task of its own.

    A snapshot: the counters are those of the moment at which it was taken.
    """

    ticket: int
    """The identifier of the task on its device's page; never reused."""
    device: str
    pid: int
    """Process id in the task's own PID namespace."""
    name: str
    priority: int
    """-1000 to 1000, bigger is more urgent."""
    state: State
    """``active``: has work and may run; ``held``: has work and is outranked; ``idle``: no work;
    ``parked``: its device memory is in host memory; ``parking`` and ``unparking``: on the way."""
    is_thread: bool
    launches: int
    """Launches so far: outermost parallel regions and gated operators on the cpu device; kernels,
    graphs, copies and memsets on a GPU."""
    operators: int
    """The single-threaded torch operators among the launches."""
    holds: int
    """Launches that met a closed gate."""
    held_seconds: float
    """Time spent at a closed gate, summed over threads."""
    preemptions: int
    """How often the gate closed while the task had work."""
    joined_seconds: float
    """When the task joined, on the monotonic clock."""
    closed_seconds: float = 0.0
    """When the gate last closed or the task last became active, on the monotonic clock; 0: never.
    """
    stopped_seconds: float = 0.0
    """When running work was last observed to have stopped after its gate closed, on the monotonic
    clock. A time before ``closed_seconds`` belongs to an earlier closing. 0: never; always 0 on a
    GPU, where the host cannot observe it."""
    pid_namespace: int = 0
    """The PID namespace in which ``pid`` is valid, by its inode; 0: unknown."""
    job: str = ""
    """The job that the process is a rank of; empty: none."""
    gate: Gate = "regions"
    """What a closed gate stops: OpenMP regions, also running ones; single-threaded operators, each
    before it begins; every thread of the process; launches only, and not what runs; what the task
    submits to a GPU."""
    cores: int | None = None
    """How many cores the task keeps busy at most; None: it may use the whole device."""
    memory: int | None = None
    """Bytes of device memory in use, the context included; None: the device has none of its own."""
    memory_host: int | None = None
    """Bytes of the task that are in host memory, because it is parked."""
    memory_peak: int | None = None
    """The most that was in use at a time."""
    memory_limit: int | None = None
    """Beyond it allocations fail; None: no limit."""
    memory_reserve: int | None = None
    """What other tasks leave to this one; None: nothing."""
    tolerance: float = 0.0
    """By how many percent less urgent tasks may slow the task down, as the task has read it."""
    slowdown: float | None = None
    """By how many percent less urgent tasks slow the task down while they run beside it; None: not
    known."""
    slack: Slack = ""
    """How the slowdown compares with the tolerance, at three standard errors. ``within``: less
    urgent tasks run nearly all the time; ``beyond``: they run as the credit allows; ``unknown``:
    they run in short blocks, as the credit allows; empty: the tolerance is 0."""
    credit_seconds: float = 0.0
    """The delay that is tolerated in this episode and has not happened."""
    together_seconds: float = 0.0
    """Time in which the task had work and less urgent tasks ran, while the tolerance is not 0."""
    contended_seconds: float = 0.0
    """The same, and the time in which the task made them wait."""
    unseen: bool = False
    """Whether the process of an idle task computes: giveway does not see this work."""

    @property
    def together(self) -> float | None:
        """Time together as a percentage of the contended time, since the task joined; None: there
        was none."""
        contended = self.contended_seconds
        return 100 * self.together_seconds / contended if contended > 0 else None

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"together": self.together}


class TaskId(NamedTuple):
    """Identifies a task: a ticket is never reused on its device."""

    device: str
    ticket: int


@dataclass(frozen=True, slots=True)
class Attributes:
    """The properties of a task that users set for policies.

    Attributes belong to the task, not to a policy: each policy reads the ones that it needs, and a
    change of policy loses none. ``giveway.sched.attributes`` has their ranges and spellings.
    """

    priority: int = 0
    """-1000 to 1000, bigger is more urgent."""
    weight: float = 1.0
    """Relative claim on the device: a task of weight 2 gets twice as much as one of weight 1."""
    share: float | None = None
    """Percent of the device's time; None: an equal part of the unpromised time."""
    deadline_ns: int | None = None
    """The time from becoming active until the task should be done; None: no deadline."""
    laxity_ns: int | None = None
    """The total time that the task may wait after becoming active and still be in time."""
    slice_ns: int | None = None
    """The length of a time slice, for time-slicing policies; None: the default of the policy."""
    nice: int = 0
    """The process's CPU nice value, -20 (most urgent) to 19."""
    group: str = ""
    """Tasks of one group divide the share of the group; empty: the process is the group."""
    focused: bool = False
    """Whether a window of the process has the focus."""
    job: str = ""
    """The job that the process is a rank of; its tasks give way together. Fixed at the start."""
    slowdown: float = 0.0
    """The tolerance: by how many percent less urgent tasks may slow down an episode of the task's
    work. The task says when they may run beside it (`Shares`)."""


@dataclass(frozen=True, slots=True)
class _TaskEvent:
    """Something has happened to one task."""

    task: TaskId

    @property
    def device(self) -> str:
        return self.task.device


@dataclass(frozen=True, slots=True)
class Joined(_TaskEvent):
    """A task joined a device. The task is idle, and its gate is open."""

    pid: int
    name: str
    attributes: Attributes = Attributes()


@dataclass(frozen=True, slots=True)
class Left(_TaskEvent):
    """A task has left: no decision can be about it any more."""


@dataclass(frozen=True, slots=True)
class Active(_TaskEvent):
    """An idle task has become active."""


@dataclass(frozen=True, slots=True)
class Idle(_TaskEvent):
    """An active task has become idle."""


@dataclass(frozen=True, slots=True)
class Changed(_TaskEvent):
    """The attributes of a task have changed."""

    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Shares(_TaskEvent):
    """The task wants less urgent tasks to run beside it from now on, or no longer: it spends its
    attribute ``slowdown``. A policy may ignore this."""

    shares: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of a `WakeAt` has come, or the host wants a new decision."""

    device: str


Event: TypeAlias = Joined | Left | Active | Idle | Changed | Shares | Tick


class Only(NamedTuple):
    """Of all tasks of a device only these may launch.

    The other tasks wait for the first of these that has work. A task that already waits keeps its
    holder for as long as the holder has work. This is one decision, however many tasks the device
    has; most policies return it for every event.
    """

    device: str
    tasks: Collection[TaskId]


class Open(NamedTuple):
    """The task may launch."""

    task: TaskId


class Close(NamedTuple):
    """The task waits before its next launch."""

    task: TaskId
    holder: TaskId | None = None
    """The task for which this one waits, if any. ``giveway events`` shows it, and it is the one
    reason for which all gates of a device may stay closed."""


class WakeAt(NamedTuple):
    """Requests a `Tick` for the device. A device has one timer: a new request replaces the old one,
    and None cancels it."""

    device: str
    at_ns: int | None


Decision: TypeAlias = Only | Open | Close | WakeAt
