"""Between a host (the daemon, the simulator) and a policy: events in, checked decisions out.

No clock, thread, file or connection here: the host says what happens and when, and does what is
decided. What a policy gets wrong, up to and including an exception, ends here.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar

from giveway.policies.base import Policy, TaskView, View
from giveway.policies.priority import Priority
from giveway.task import (
    Active,
    Changed,
    Close,
    Decision,
    Event,
    Idle,
    Joined,
    Open,
    TaskId,
    Tick,
    WakeAt,
)

MAX_DARK_NS: Final = 1_000_000_000
"""How long a policy may keep every task of a device that has work waiting for nothing but time."""
MIN_WAKE_NS: Final = 50_000
"""No wake-up comes sooner: a policy that always wants the next nanosecond gets no busy loop."""

_Key = TypeVar("_Key")
_put = object.__setattr__  # views are frozen for policies; here is the one place that changes them


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision that is not carried out."""

    decision: object
    why: str
    """One line, without the name of the policy."""


@dataclass(slots=True)
class Answer:
    """What the host is to do, and what it may want to tell."""

    decisions: list[Decision] = field(default_factory=list)
    """What changes: gates in this order, then timers; each at most once."""
    refusals: list[Refusal] = field(default_factory=list)
    failure: str | None = None
    """Why the policy has just been replaced by strict priority: its traceback, or what the host
    said to `Scheduler.fall_back`."""


class _World(View):
    """The view, with what changes it."""

    def join(self, event: Joined, now: int) -> None:
        id_ = event.task
        if id_ in self._tasks:
            raise ValueError(f"{id_} joins twice")
        task = TaskView(
            id_, event.pid, event.name, event.attributes, False, True, None, now, 0, None
        )
        self._tasks[id_] = task
        self._by_device[id_.device] = (*self.on(id_.device), task)
        self._by_pid[task.pid] = (*self.of(task.pid), task)

    def leave(self, task: TaskView, now: int) -> None:
        self.set(task, False, task.open, now)  # for a policy that still has it at hand
        del self._tasks[task.id]
        _drop(self._by_device, task.id.device, task)
        _drop(self._by_pid, task.pid, task)

    def set(self, task: TaskView, active: bool, is_open: bool, now: int) -> None:
        """Whether a task has work and may run; keeps the account of how long it has."""
        if task.running_since_ns is not None:
            _put(task, "used_ns", task.used(now))
        _put(task, "running_since_ns", now if active and is_open else None)
        if active is not task.active:
            _put(task, "active", active)
            _put(task, "since_ns", now)
        _put(task, "open", is_open)


def _drop(index: dict[_Key, tuple[TaskView, ...]], key: _Key, task: TaskView) -> None:
    index[key] = tuple(other for other in index[key] if other is not task)
    if not index[key]:
        del index[key]


def validate(decision: object, view: View) -> str | None:
    """Why a decision cannot be carried out, whatever else is decided; None: it can."""
    kind = type(decision)
    if kind is Close or kind is Open:
        if not _known(decision.task, view):  # type: ignore[attr-defined]
            return "a decision about a task that is not there"
        holder = decision.holder if kind is Close else None  # type: ignore[attr-defined]
        if holder is not None and not _known(holder, view):
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


def _known(task: object, view: View) -> bool:
    return type(task) is TaskId and task in view.tasks


class Scheduler:
    """Keeps what is known of all tasks of all devices, and asks one policy what to do about it."""

    def __init__(self, policy: Policy, fallback: Callable[[], Policy] = Priority) -> None:
        self._policy = policy
        self._fallback = fallback
        self._world = _World()
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

    def handle(self, event: Event, now: int) -> Answer:
        """Takes note of an event and asks the policy about it.

        Args:
            event: one that changes nothing (`Active` about an active task) is passed over.
            now: nanoseconds on the monotonic clock; one that runs backwards is taken to stand.

        Raises:
            ValueError: the host is wrong: a task joins twice, or an event is about one that never
                joined.
        """
        now = self._now = max(now, self._now)
        answer = Answer()
        if self._note(event, now):
            self._ask(event, now, answer)
        return answer

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
            world.set(task, active, task.open, now)
        elif isinstance(event, Changed):
            if event.attributes == task.attributes:
                return False
            _put(task, "attributes", event.attributes)
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
                _put(task, "active", True)
                yield Active(task.id)

        for task in active:
            _put(task, "active", False)
        failure = self._consult(events(), now, answer)
        for task in active:
            _put(task, "active", True)
        answer.decisions += (WakeAt(at, None) for at in timers if at not in self._timers)
        if failure is not None:
            self._failed(failure, now, answer)

    def _ask(self, event: Event, now: int, answer: Answer) -> None:
        failure = self._consult((event,), now, answer)
        if failure is not None:
            self._failed(failure, now, answer)

    def _consult(self, events: Iterable[Event], now: int, answer: Answer) -> str | None:
        """Asks the policy about each event and carries out what holds of all it says.

        Returns the traceback where it fails; then nothing is carried out.
        """
        gates: dict[TaskId, Open | Close] = {}
        wakes: dict[str, int | None] = {}
        devices: dict[str, None] = {}  # a set that keeps its order
        try:
            for event in events:
                devices[event.device] = None
                self._listen(event, now, gates, wakes, answer.refusals)
        except (Exception, SystemExit):
            return traceback.format_exc()
        timers = self._set_timers(wakes, now)
        devices.update(dict.fromkeys(id_.device for id_ in gates))
        for device in devices | dict.fromkeys(wakes) | self._elsewhere:
            self._keep_lit(device, gates, now, answer.refusals)
        self._carry_out(gates, now, answer.decisions)
        answer.decisions += timers
        return None

    def _listen(
        self,
        event: Event,
        now: int,
        gates: dict[TaskId, Open | Close],
        wakes: dict[str, int | None],
        refusals: list[Refusal],
    ) -> None:
        """Sorts what the policy says about an event; the last word about each thing counts."""
        # Nobody has more to say about each task than to open it, to close it and to be woken.
        left = 3 * len(self._world.tasks) + 8
        for decision in self._policy.decide(event, self._world, now):
            left -= 1
            if left < 0:
                raise RuntimeError(f"no end of decisions about one {type(event).__name__}")
            why = validate(decision, self._world)
            if why is not None:
                refusals.append(Refusal(decision, why))
            elif type(decision) is WakeAt:
                wakes[decision.device] = decision.at_ns
            else:
                gates[decision.task] = decision  # type: ignore[union-attr, assignment]

    def _failed(self, failure: str, now: int, answer: Answer) -> None:
        if answer.failure is None:
            answer.failure = failure
            self._replace(self._fallback(), now, answer)
        else:  # the fallback fails too: nobody waits
            opened: dict[TaskId, Open | Close] = {id_: Open(id_) for id_ in self._world.tasks}
            self._carry_out(opened, now, answer.decisions)

    def _set_timers(self, wakes: Mapping[str, int | None], now: int) -> list[Decision]:
        """The timers that are different now."""
        changed: list[Decision] = []
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

    def _keep_lit(
        self, device: str, gates: dict[TaskId, Open | Close], now: int, refusals: list[Refusal]
    ) -> None:
        """Sees to it that tasks with work never all wait, unless for a task that runs or for a time
        that is near."""
        waiting = self._world.active(device)
        self._elsewhere.pop(device, None)
        if not waiting or any(_opens(task, gates) for task in waiting):
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
                closing = gates.get(task.id)
                gates[task.id] = Open(task.id)
                refusals.append(
                    Refusal(closing, f"all that have work on {device} would wait for nobody")
                )

    def _is_held_by_a_runner(self, task: TaskView, gates: Mapping[TaskId, Open | Close]) -> bool:
        decision = gates.get(task.id)
        holder = decision.holder if isinstance(decision, Close) else task.held_by
        other = None if holder is None else self._world.tasks.get(holder)
        return other is not None and other.active and _opens(other, gates)

    def _carry_out(
        self, gates: Mapping[TaskId, Open | Close], now: int, decisions: list[Decision]
    ) -> None:
        for id_, decision in gates.items():
            task = self._world.tasks[id_]
            is_open = type(decision) is Open
            holder = decision.holder if isinstance(decision, Close) else None
            if holder != task.held_by:
                _put(task, "held_by", holder)
            if is_open is not task.open:
                self._world.set(task, task.active, is_open, now)
                decisions.append(decision)


def _opens(task: TaskView, gates: Mapping[TaskId, Open | Close]) -> bool:
    """Whether its gate is open once this is carried out."""
    decision = gates.get(task.id)
    return task.open if decision is None else type(decision) is Open
