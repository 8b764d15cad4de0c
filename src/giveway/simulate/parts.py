"""The state of a simulation: devices, and the tasks on them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from giveway.sched.task import TaskId
from giveway.simulate.scenario import Program

UNBOUNDED = 1 << 62


class Device:
    """Serves the tasks with launches in flight one after another, one launch at a time."""

    __slots__ = (
        *("began", "busy_ns", "current", "ends", "name", "ready", "slice_left", "tasks"),
        "turn_until",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: deque[SimTask] = deque()  # the first one is served
        self.current: SimTask | None = None
        self.began = 0
        self.ends = -1
        self.slice_left = 0
        self.busy_ns = 0
        self.tasks: list[SimTask] = []
        self.turn_until = 0  # the end of the current turn


class SimTask:
    """One running copy of a program."""

    __slots__ = (
        *("active", "busy_ns", "checking", "closed_since", "device", "due", "gate", "gone"),
        *("has_turn", "held_ns", "held_since", "id", "idle_at", "in_flight", "latencies"),
        *("launches", "lingering", "next_gap", "next_launch", "open", "pid", "preemptions"),
        *("ends", "left", "rate", "shares", "since", "submitted"),
        *("program", "queued", "ready", "remaining", "requests", "window", "working", "yields"),
    )

    def __init__(self, program: Program, id_: TaskId, pid: int, device: Device, seed: str) -> None:
        self.program = program
        self.id = id_
        self.pid = pid
        self.device = device
        device.tasks.append(self)
        self.next_launch = _launch_times(program, f"{seed} launches")
        self.next_gap = _gaps(program, f"{seed} arrivals")
        self.window = UNBOUNDED
        # The program: its waiting requests, and the time at which the current one was due.
        self.requests: deque[int] = deque()
        self.due = 0
        self.working = False
        self.remaining = 0  # launches not yet submitted
        self.queued: deque[int] = deque()  # remaining time of each launch in flight
        self.in_flight = 0  # the sum of these times
        self.submitted = 0  # launches so far
        # Where tasks run side by side: the work left of the launch that runs, and its speed.
        self.left = self.rate = 0.0
        self.since = 0
        self.ends = -1
        self.ready = False  # in the device's queue
        # The state that the scheduler reads or sets.
        self.active = False
        self.lingering = False  # an event that checks idle_at is scheduled
        self.idle_at = 0
        self.gate = True  # as decided by the policy
        self.open = True  # as in force, turns included
        self.has_turn = False  # open during a turn, whatever the gate
        self.yields = False  # closed until the turn of other tasks ends
        self.closed_since = 0
        self.checking = False  # an event that checks closed_since is scheduled
        self.gone = False
        self.shares = False  # wants less urgent tasks to run beside it
        # Counts after the warm-up.
        self.latencies: list[int] = []
        self.launches = 0
        self.busy_ns = 0
        self.held_since: int | None = None
        self.held_ns = 0
        self.preemptions = 0


def _launch_times(program: Program, seed: str) -> Callable[[], int]:
    """The device time of each next launch; the sequence is independent of other programs."""
    mean, jitter = program.launch_ns, program.jitter
    if jitter == 0:
        return lambda: mean
    uniform = Random(seed).uniform
    low, high = mean * (1 - jitter), mean * (1 + jitter)
    return lambda: max(1, round(uniform(low, high)))


def _gaps(program: Program, seed: str) -> Callable[[], int]:
    """The time until the next request or batch; on the first call, until the first one."""
    period = program.period_ns
    if program.arrivals == "saturating":
        return lambda: period
    random = Random(seed)
    if program.arrivals == "poisson":
        return lambda: max(1, round(random.expovariate(1 / period)))
    phase = program.phase_ns
    first = [random.randrange(period) if phase is None else phase]
    return lambda: first.pop() if first else period
