"""Between a host (the daemon, the simulator) and a policy: events in, checked decisions out.

The scheduler has no clock, thread, file or connection. The host passes in events with their times
and carries out the answers. Errors of a policy, exceptions included, never reach the host.

An event takes two steps. `Scheduler.decide` calls the policy and checks its decisions. The host may
then write the decided gates. `Scheduler.settle` updates the state of all tasks, which takes longer
than the decision, and returns everything else that the host has to do.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeGuard

from giveway.sched.policies.base import Policy, TaskView, View
from giveway.sched.policies.priority import Priority
from giveway.sched.state import OPEN, Wanted, World, put_active
from giveway.sched.task import (
    Active,
    Changed,
    Close,
    Decision,
    Event,
    Idle,
    Joined,
    Only,
    Open,
    Shares,
    TaskId,
    Tick,
    WakeAt,
)

MAX_ALL_HELD_NS: Final = 1_000_000_000
"""How long a policy may hold all active tasks of a device when none of them waits for a task."""
MIN_WAKE_NS: Final = 50_000
"""The earliest wake-up: a policy that always requests the next nanosecond causes no busy loop."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision that the scheduler does not carry out."""

    decision: object
    why: str
    """One line, without the name of the policy."""


@dataclass(slots=True)
class Decided:
    """The checked decisions of the policy about an event, not yet in force."""

    now: int
    gates: Only | None = None
    """All gates of a device, if this is the only decision and it cannot be refused. The host may
    write them before `Scheduler.settle`. The answer contains them as well."""
    about_gates: list[Only | Open | Close] = field(default_factory=list)
    """The decisions about gates; the last one about each task counts."""
    wakes: dict[str, int | None] = field(default_factory=dict)
    """The requested wake-up of each device."""
    devices: dict[str, None] = field(default_factory=dict)
    """The devices of the event and of the decisions, in this order; empty: nothing changed."""
    refusals: list[Refusal] = field(default_factory=list)
    failure: str | None = None
    """The traceback of a policy that failed: none of its decisions come into force."""


@dataclass(slots=True)
class Answer:
    """What the host has to do, and may want to report."""

    gates: list[TaskView] = field(default_factory=list)
    """Tasks whose gates have changed, in this order."""
    timers: list[WakeAt] = field(default_factory=list)
    """Timers that have changed."""
    refusals: list[Refusal] = field(default_factory=list)
    failure: str | None = None
    """Why strict priority has just replaced the policy: the traceback of the policy, or the reason
    that the host passed to `Scheduler.fall_back`."""

    @property
    def decisions(self) -> list[Decision]:
        """All changes, as decisions. Valid until the next event."""
        gates = (
            Open(task.id) if task.open else Close(task.id, task.held_by) for task in self.gates
        )
        return [*gates, *self.timers]


def validate(decision: object, view: View) -> str | None:
    """Why a decision is invalid, whatever the other decisions are; None: it is valid."""
    kind = type(decision)
    tasks = view.tasks
    if isinstance(decision, Only):
        if type(decision.device) is not str:
            return "a decision about something that is not a device"
        if not isinstance(decision.tasks, Collection):
            return f"tasks must be a collection, not a {type(decision.tasks).__name__}"
        if any(type(task) is not TaskId or task not in tasks for task in decision.tasks):
            return "a decision about a task that does not exist"
        return None
    if kind is Close or kind is Open:
        task = decision.task  # type: ignore[attr-defined]
        if type(task) is not TaskId or task not in tasks:
            return "a decision about a task that does not exist"
        if kind is Close:
            holder = decision.holder  # type: ignore[attr-defined]
            if holder is not None and (type(holder) is not TaskId or holder not in tasks):
                return "a task would wait for a task that does not exist"
        return None
    if not isinstance(decision, WakeAt) or kind is not WakeAt:
        return f"a {kind.__name__} is not a decision"
    at_ns = decision.at_ns
    if at_ns is not None and type(at_ns) is not int:
        return f"a wake-up must be at a whole number of nanoseconds, not a {type(at_ns).__name__}"
    if type(decision.device) is not str:
        return "a wake-up for something that is not a device"
    if at_ns is not None and decision.device not in view.devices:
        return "a wake-up for a device that no task has joined"
    return None


class Scheduler:
    """Keeps the state of all tasks of all devices, and passes events to one policy."""

    def __init__(self, policy: Policy, fallback: Callable[[], Policy] = Priority) -> None:
        self._policy = policy
        self._fallback = fallback
        self._world = World()
        self._now = 0
        self._timers: dict[str, int] = {}
        self._all_held: dict[str, int] = {}  # devices whose active tasks all wait, with since when
        self._held_across: dict[str, None] = {}  # those that wait for a task elsewhere
        self.timers: Mapping[str, int] = MappingProxyType(self._timers)
        """The time of the next requested `Tick` of each device."""

    @property
    def policy(self) -> Policy:
        """The policy in service."""
        return self._policy

    @property
    def view(self) -> View:
        """The state of all tasks, for the policy and for reports."""
        return self._world

    def next_wake(self) -> tuple[int, str] | None:
        """The earliest timer and its device."""
        return min(((at, device) for device, at in self._timers.items()), default=None)

    def decide(self, event: Event, now: int) -> Decided:
        """Records an event and passes it to the policy. `settle` must follow before the next event.

        Args:
            event: an event that changes nothing (`Active` about an active task) is ignored.
            now: nanoseconds on the monotonic clock. A time before the last one counts as the last.

        Raises:
            ValueError: the host is in error: a task joins twice, or an event is about a task that
                never joined.
        """
        now = self._now = max(now, self._now)
        if not self._record(event, now):
            return Decided(now)
        decided = self._run_policy((event,), now)
        if len(decided.about_gates) == 1 and self._covers_device(decided.about_gates[0]):
            decided.gates = decided.about_gates[0]
        return decided

    def settle(self, decided: Decided) -> Answer:
        """Brings the decisions into force, as of the time of the event."""
        answer = Answer()
        if decided.devices:
            self._carry_out(decided, answer)
            if decided.failure is not None:
                self._handle_failure(decided.failure, decided.now, answer)
        return answer

    def handle(self, event: Event, now: int) -> Answer:
        """Both steps, for a host that writes nothing in between; raises as `decide`."""
        return self.settle(self.decide(event, now))

    def use(self, policy: Policy, now: int) -> Answer:
        """Puts another policy in service; tasks keep their attributes and used times."""
        now = self._now = max(now, self._now)
        answer = Answer()
        self._replace(policy, now, answer)
        return answer

    def fall_back(self, why: str, now: int) -> Answer:
        """Replaces the policy by strict priority for a reason that only the host can detect, such
        as an exceeded time limit."""
        now = self._now = max(now, self._now)
        answer = Answer(failure=why)
        self._replace(self._fallback(), now, answer)
        return answer

    def _record(self, event: Event, now: int) -> bool:
        """Updates the state of the tasks; returns whether the event changed anything."""
        world = self._world
        if isinstance(event, Tick):
            if self._timers.get(event.device, now + 1) <= now:
                del self._timers[event.device]
            return True
        if isinstance(event, Joined):
            world.join(event, now)
            return True
        task = world.tasks.get(event.task)
        if task is None:
            raise ValueError(f"{event.task} never joined, or left")
        if isinstance(event, Active | Idle):
            active = isinstance(event, Active)
            if active is task.active:
                return False
            world.set_active(task, active, now)
        elif isinstance(event, Changed | Shares):
            return world.change(task, event)
        else:
            world.leave(task, now)
            if not world.on(event.device):
                self._timers.pop(event.device, None)
        return True

    def _replace(self, policy: Policy, now: int, answer: Answer) -> None:
        """Starts a policy. It receives a `Joined` event for every task and an `Active` event for
        every active one, as if it had been in service from the beginning."""
        self._policy = policy
        timers = list(self._timers)
        self._timers.clear()
        tasks = list(self._world.tasks.values())
        active = [task for task in tasks if task.active]

        def events() -> Iterator[Event]:
            for task in tasks:
                yield Joined(task.id, task.pid, task.name, task.attributes)
            for task in active:
                put_active(task, True)
                yield Active(task.id)

        for task in active:
            put_active(task, False)
        decided = self._run_policy(events(), now)
        for task in active:
            put_active(task, True)
        self._carry_out(decided, answer)
        answer.timers += (WakeAt(at, None) for at in timers if at not in self._timers)
        if decided.failure is not None:
            self._handle_failure(decided.failure, now, answer)

    def _run_policy(self, events: Iterable[Event], now: int) -> Decided:
        """Passes each event to the policy, and collects its valid decisions."""
        decided = Decided(now)
        try:
            for event in events:
                decided.devices[event.device] = None
                self._collect_decisions(event, decided)
        except (Exception, SystemExit):
            decided.failure = traceback.format_exc()
        return decided

    def _collect_decisions(self, event: Event, decided: Decided) -> None:
        """Collects the valid decisions of the policy about one event, and the refusals."""
        # A sensible policy opens, closes and requests a wake-up at most once for each task.
        world = self._world
        most = 3 * len(world.tasks) + 8
        for count, decision in enumerate(self._policy.decide(event, world, decided.now), 1):
            if count > most:
                raise RuntimeError(f"no end of decisions about one {type(event).__name__}")
            why = validate(decision, world)
            if why is not None:
                decided.refusals.append(Refusal(decision, why))
            elif isinstance(decision, WakeAt):
                decided.wakes[decision.device] = decision.at_ns
            elif isinstance(decision, Only):
                # A copy: the policy's own collection may change, or run code when it is read again.
                decided.about_gates.append(Only(decision.device, tuple(decision.tasks)))
            else:
                decided.about_gates.append(decision)

    def _carry_out(self, decided: Decided, answer: Answer) -> None:
        """Brings decisions into force, except those of a policy that failed."""
        answer.refusals += decided.refusals
        if decided.failure is not None:
            return
        gates: Wanted = {}
        devices = decided.devices
        for decision in decided.about_gates:
            self._collect_gates(decision, gates, devices)
        devices |= dict.fromkeys(decided.wakes)
        timers = self._set_timers(decided.wakes, decided.now)
        for device in devices | self._held_across:
            self._open_if_held(device, gates, decided.now, answer.refusals)
        answer.gates += self._world.carry_out(gates, decided.now)
        answer.timers += timers

    def _covers_device(self, decision: Only | Open | Close) -> TypeGuard[Only]:
        """Whether a decision sets all gates of one device and cannot be refused."""
        if not isinstance(decision, Only) or decision.device not in self._world.devices:
            return False
        if any(id_.device != decision.device for id_ in decision.tasks):
            return False
        tasks = self._world.tasks
        return any(tasks[id_].active for id_ in decision.tasks) or not any(
            task.active for task in self._world.on(decision.device)
        )

    def _collect_gates(
        self, decision: Only | Open | Close, gates: Wanted, devices: dict[str, None]
    ) -> None:
        """Adds the gate of each task that a decision is about."""
        if isinstance(decision, Only):
            self._expand_only(decision, gates)
            devices[decision.device] = None
            return
        holder = decision.holder if isinstance(decision, Close) else None
        gates[self._world.tasks[decision.task]] = (isinstance(decision, Open), holder)
        devices[decision.task.device] = None

    def _expand_only(self, decision: Only, gates: Wanted) -> None:
        """Adds the gate of each task of a device under `Only`."""
        world, chosen = self._world, frozenset(decision.tasks)
        holder = next((id_ for id_ in decision.tasks if world.has_work(id_)), None)
        held = (False, holder)
        for task in world.on(decision.device):
            if task.id in chosen:
                gates[task] = OPEN
            elif task.open or not world.has_work(task.held_by):
                gates[task] = held
            else:
                gates[task] = (False, task.held_by)

    def _handle_failure(self, failure: str, now: int, answer: Answer) -> None:
        if answer.failure is None:
            answer.failure = failure
            self._replace(self._fallback(), now, answer)
        else:  # the fallback fails too: open all gates
            opened = dict.fromkeys(self._world.tasks.values(), OPEN)
            answer.gates += self._world.carry_out(opened, now)

    def _set_timers(self, wakes: Mapping[str, int | None], now: int) -> list[WakeAt]:
        """Sets the timers; returns those that have changed."""
        changed: list[WakeAt] = []
        for device, wanted in wakes.items():
            at_ns = None if wanted is None else max(wanted, now + MIN_WAKE_NS)
            if at_ns == self._timers.get(device):
                continue
            if at_ns is None:
                del self._timers[device]
            else:
                self._timers[device] = at_ns
            changed.append(WakeAt(device, at_ns))
        return changed

    def _open_if_held(self, device: str, gates: Wanted, now: int, refusals: list[Refusal]) -> None:
        """Opens gates if all active tasks of a device would wait.

        They may do so only for a task that runs elsewhere, or until a timer that is near.
        """
        waiting = self._world.active(device)
        self._held_across.pop(device, None)
        if not waiting or _one_opens(waiting, gates):
            self._all_held.pop(device, None)
            return
        if any(self._is_held_by_running_task(task, gates) for task in waiting):
            self._held_across[device] = None  # to be checked again at every event
            self._all_held[device] = now
            return
        since = self._all_held.setdefault(device, now)
        if self._timers.get(device, since + MAX_ALL_HELD_NS + 1) <= since + MAX_ALL_HELD_NS:
            return
        del self._all_held[device]
        top = max(task.attributes.priority for task in waiting)
        for task in waiting:
            if task.attributes.priority == top:
                wanted = gates.get(task)
                closing = None if wanted is None else Close(task.id, wanted[1])
                gates[task] = OPEN
                why = f"all active tasks on {device} would wait without a holder"
                refusals.append(Refusal(closing, why))

    def _is_held_by_running_task(self, task: TaskView, gates: Wanted) -> bool:
        wanted = gates.get(task)
        holder = task.held_by if wanted is None else wanted[1]
        other = None if holder is None else self._world.tasks.get(holder)
        return other is not None and other.active and _one_opens((other,), gates)


def _one_opens(tasks: Iterable[TaskView], gates: Wanted) -> bool:
    """Whether the gate of any of these tasks is open after ``gates`` is carried out."""
    for task in tasks:
        wanted = gates.get(task)
        if task.open if wanted is None else wanted[0]:
            return True
    return False
