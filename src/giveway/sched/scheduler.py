"""Between a host (the daemon, the simulator) and a policy: events in, checked decisions out.

No clock, thread, file or connection here: the host says what happens and when, and does what is
decided. What a policy gets wrong, up to and including an exception, ends here.

An event takes two steps. `Scheduler.decide` asks the policy and checks what it says. The host may
then write the gates that this is about. `Scheduler.settle` keeps the accounts of all tasks, which
takes longer than the decision, and says what else is to be done.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeGuard

from giveway.sched.policies.base import Policy, TaskView, View
from giveway.sched.policies.priority import Priority
from giveway.sched.state import OPEN, Wanted, World, put_active, put_attributes
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
    TaskId,
    Tick,
    WakeAt,
)

MAX_DARK_NS: Final = 1_000_000_000
"""How long a policy may keep every task of a device that has work waiting for nothing but time."""
MIN_WAKE_NS: Final = 50_000
"""No wake-up comes sooner: a policy that always wants the next nanosecond gets no busy loop."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision that is not carried out."""

    decision: object
    why: str
    """One line, without the name of the policy."""


@dataclass(slots=True)
class Decided:
    """What the policy says about an event: checked, and not yet in force."""

    now: int
    gates: Only | None = None
    """All gates of a device, where the policy says this alone and nothing can stand against it: a
    host may write them before it has this settled. The answer has them as well."""
    said: list[Only | Open | Close] = field(default_factory=list)
    """About gates; the last word about each counts."""
    wakes: dict[str, int | None] = field(default_factory=dict)
    """When the policy wants to be asked again, by device."""
    devices: dict[str, None] = field(default_factory=dict)
    """That the event and the decisions are about, in this order; empty: nothing is different."""
    refusals: list[Refusal] = field(default_factory=list)
    failure: str | None = None
    """The policy's traceback, where it failed: then nothing of what it says comes into force."""


@dataclass(slots=True)
class Answer:
    """What the host is to do, and what it may want to tell."""

    gates: list[TaskView] = field(default_factory=list)
    """Tasks whose gates are different now, in this order."""
    timers: list[WakeAt] = field(default_factory=list)
    """Timers that are different now."""
    refusals: list[Refusal] = field(default_factory=list)
    failure: str | None = None
    """Why the policy has just been replaced by strict priority: its traceback, or what the host
    said to `Scheduler.fall_back`."""

    @property
    def decisions(self) -> list[Decision]:
        """All that changes, as a policy would say it. To be asked before the next event."""
        gates = (
            Open(task.id) if task.open else Close(task.id, task.held_by) for task in self.gates
        )
        return [*gates, *self.timers]


def validate(decision: object, view: View) -> str | None:
    """Why a decision cannot be carried out, whatever else is decided; None: it can."""
    kind = type(decision)
    tasks = view.tasks
    if isinstance(decision, Only):
        if type(decision.device) is not str:
            return "a decision about something that is no device"
        if not isinstance(decision.tasks, Collection):
            return f"tasks are a collection, not a {type(decision.tasks).__name__}"
        if any(type(task) is not TaskId or task not in tasks for task in decision.tasks):
            return "a decision about a task that is not there"
        return None
    if kind is Close or kind is Open:
        task = decision.task  # type: ignore[attr-defined]
        if type(task) is not TaskId or task not in tasks:
            return "a decision about a task that is not there"
        if kind is Close:
            holder = decision.holder  # type: ignore[attr-defined]
            if holder is not None and (type(holder) is not TaskId or holder not in tasks):
                return "a task is to wait for one that is not there"
        return None
    if not isinstance(decision, WakeAt) or kind is not WakeAt:
        return f"a {kind.__name__} is not a decision"
    at_ns = decision.at_ns
    if at_ns is not None and type(at_ns) is not int:
        return f"a wake-up is at a whole number of nanoseconds, not at a {type(at_ns).__name__}"
    if type(decision.device) is not str:
        return "a wake-up for something that is no device"
    if at_ns is not None and decision.device not in view.devices:
        return "a wake-up for a device that no task has joined"
    return None


class Scheduler:
    """Keeps what is known of all tasks of all devices, and asks one policy what to do about it."""

    def __init__(self, policy: Policy, fallback: Callable[[], Policy] = Priority) -> None:
        self._policy = policy
        self._fallback = fallback
        self._world = World()
        self._now = 0
        self._timers: dict[str, int] = {}
        self._dark: dict[str, int] = {}  # devices whose active tasks all wait: since when
        self._elsewhere: dict[str, None] = {}  # of these, those that wait for another device
        self.timers: Mapping[str, int] = MappingProxyType(self._timers)
        """When the policy wants a `Tick`, for each device for which it does."""

    @property
    def policy(self) -> Policy:
        """The policy in service."""
        return self._policy

    @property
    def view(self) -> View:
        """What is known of all tasks, for the policy and for whoever reports."""
        return self._world

    def next_wake(self) -> tuple[int, str] | None:
        """The earliest timer and its device."""
        return min(((at, device) for device, at in self._timers.items()), default=None)

    def decide(self, event: Event, now: int) -> Decided:
        """Takes note of an event and asks the policy about it. To be settled before the next one.

        Args:
            event: one that changes nothing (`Active` about an active task) is passed over.
            now: nanoseconds on the monotonic clock; one that runs backwards is taken to stand.

        Raises:
            ValueError: the host is wrong: a task joins twice, or an event is about one that never
                joined.
        """
        now = self._now = max(now, self._now)
        if not self._note(event, now):
            return Decided(now)
        decided = self._consult((event,), now)
        if len(decided.said) == 1 and self._is_plain(decided.said[0]):
            decided.gates = decided.said[0]
        return decided

    def settle(self, decided: Decided) -> Answer:
        """Brings into force what was decided, as of the moment of the event."""
        answer = Answer()
        if decided.devices:
            self._carry_out(decided, answer)
            if decided.failure is not None:
                self._failed(decided.failure, decided.now, answer)
        return answer

    def handle(self, event: Event, now: int) -> Answer:
        """Both steps, for a host that has nothing to write in between; errors as of `decide`."""
        return self.settle(self.decide(event, now))

    def use(self, policy: Policy, now: int) -> Answer:
        """Puts another policy in service; tasks keep their attributes and what they have used."""
        now = self._now = max(now, self._now)
        answer = Answer()
        self._replace(policy, now, answer)
        return answer

    def fall_back(self, why: str, now: int) -> Answer:
        """Takes the policy out of service for something that only the host can see: it is slow."""
        now = self._now = max(now, self._now)
        answer = Answer(failure=why)
        self._replace(self._fallback(), now, answer)
        return answer

    def _note(self, event: Event, now: int) -> bool:
        """Whether anything is different now."""
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
        elif isinstance(event, Changed):
            if event.attributes == task.attributes:
                return False
            put_attributes(task, event.attributes)
        else:
            world.leave(task, now)
            if not world.on(event.device):
                self._timers.pop(event.device, None)
        return True

    def _replace(self, policy: Policy, now: int, answer: Answer) -> None:
        """The new policy sees tasks join and become active one by one, as one that was there from
        the beginning did: it may keep an account of its own."""
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
        decided = self._consult(events(), now)
        for task in active:
            put_active(task, True)
        self._carry_out(decided, answer)
        answer.timers += (WakeAt(at, None) for at in timers if at not in self._timers)
        if decided.failure is not None:
            self._failed(decided.failure, now, answer)

    def _consult(self, events: Iterable[Event], now: int) -> Decided:
        """Asks the policy about each event, and keeps what can be carried out of all it says."""
        decided = Decided(now)
        try:
            for event in events:
                decided.devices[event.device] = None
                self._listen(event, decided)
        except (Exception, SystemExit):
            decided.failure = traceback.format_exc()
        return decided

    def _listen(self, event: Event, decided: Decided) -> None:
        """Sorts out what the policy says about an event."""
        # Nobody has more to say about each task than to open it, to close it and to be woken.
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
                # The policy's own collection may change, or do anything when it is asked again.
                decided.said.append(Only(decision.device, tuple(decision.tasks)))
            else:
                decided.said.append(decision)

    def _carry_out(self, decided: Decided, answer: Answer) -> None:
        """Brings a decision into force, but for one of a policy that failed."""
        answer.refusals += decided.refusals
        if decided.failure is not None:
            return
        gates: Wanted = {}
        devices = decided.devices
        for decision in decided.said:
            self._sort(decision, gates, devices)
        devices |= dict.fromkeys(decided.wakes)
        timers = self._set_timers(decided.wakes, decided.now)
        for device in devices | self._elsewhere:
            self._keep_lit(device, gates, decided.now, answer.refusals)
        answer.gates += self._world.carry_out(gates, decided.now)
        answer.timers += timers

    def _is_plain(self, decision: Only | Open | Close) -> TypeGuard[Only]:
        """Whether it is about all tasks of a device and keeps nobody waiting for nothing."""
        if not isinstance(decision, Only) or decision.device not in self._world.devices:
            return False
        if any(id_.device != decision.device for id_ in decision.tasks):
            return False
        tasks = self._world.tasks
        return any(tasks[id_].active for id_ in decision.tasks) or not any(
            task.active for task in self._world.on(decision.device)
        )

    def _sort(self, decision: Only | Open | Close, gates: Wanted, devices: dict[str, None]) -> None:
        """What a decision says of each task."""
        if isinstance(decision, Only):
            self._choose(decision, gates)
            devices[decision.device] = None
            return
        holder = decision.holder if isinstance(decision, Close) else None
        gates[self._world.tasks[decision.task]] = (isinstance(decision, Open), holder)
        devices[decision.task.device] = None

    def _choose(self, decision: Only, gates: Wanted) -> None:
        """What `Only` says of each task of a device."""
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

    def _failed(self, failure: str, now: int, answer: Answer) -> None:
        if answer.failure is None:
            answer.failure = failure
            self._replace(self._fallback(), now, answer)
        else:  # the fallback fails too: nobody waits
            opened = dict.fromkeys(self._world.tasks.values(), OPEN)
            answer.gates += self._world.carry_out(opened, now)

    def _set_timers(self, wakes: Mapping[str, int | None], now: int) -> list[WakeAt]:
        """The timers that are different now."""
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

    def _keep_lit(self, device: str, gates: Wanted, now: int, refusals: list[Refusal]) -> None:
        """Sees to it that tasks with work never all wait, unless for a task that runs or for a time
        that is near."""
        waiting = self._world.active(device)
        self._elsewhere.pop(device, None)
        if not waiting or _one_opens(waiting, gates):
            self._dark.pop(device, None)
            return
        if any(self._is_held_by_a_runner(task, gates) for task in waiting):
            self._elsewhere[device] = None  # to be looked at again whatever happens
            self._dark[device] = now
            return
        since = self._dark.setdefault(device, now)
        if self._timers.get(device, since + MAX_DARK_NS + 1) <= since + MAX_DARK_NS:
            return
        del self._dark[device]
        top = max(task.attributes.priority for task in waiting)
        for task in waiting:
            if task.attributes.priority == top:
                wanted = gates.get(task)
                closing = None if wanted is None else Close(task.id, wanted[1])
                gates[task] = OPEN
                why = f"all that have work on {device} would wait for nobody"
                refusals.append(Refusal(closing, why))

    def _is_held_by_a_runner(self, task: TaskView, gates: Wanted) -> bool:
        wanted = gates.get(task)
        holder = task.held_by if wanted is None else wanted[1]
        other = None if holder is None else self._world.tasks.get(holder)
        return other is not None and other.active and _one_opens((other,), gates)


def _one_opens(tasks: Iterable[TaskView], gates: Wanted) -> bool:
    """Whether the gate of one of these is open once this is carried out."""
    for task in tasks:
        wanted = gates.get(task)
        if task.open if wanted is None else wanted[0]:
            return True
    return False
