"""Discrete-event simulation of programs that share devices under a policy.

A program submits launches while its gate is open and its window has room; a device runs the
launches in flight. Host time is not simulated, except for the gaps that a program states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final

from giveway.sched.policies import Policy
from giveway.sched.scheduler import Scheduler
from giveway.sched.task import Active, Event, Idle, Joined, Left, TaskId, Tick
from giveway.simulate.parts import UNBOUNDED, Device, SimTask
from giveway.simulate.place import place
from giveway.simulate.record import Record
from giveway.simulate.scenario import Scenario

KEPT_REFUSALS: Final = 5
ALONE_COPIES: Final = 20
"""The number of copies of a program that are simulated alone."""


@dataclass(slots=True)
class Run:
    """The raw counts of a simulation."""

    tasks: list[SimTask]
    devices: list[Device]
    events: int = 0
    decisions: int = 0
    """The number of changed gates."""
    refused: int = 0
    refusals: list[str] = field(default_factory=list)
    """The first `KEPT_REFUSALS` refusals."""
    failure: str | None = None
    """The traceback of a policy that failed; strict priority then replaced it."""


class Machine:
    """Devices that serve one task at a time, and the tasks on them."""

    def __init__(
        self, scenario: Scenario, policy: Policy | None, record: Record | None = None
    ) -> None:
        self.model = scenario.model
        self.warm = scenario.warm_ns
        self.end = scenario.duration_ns
        self.record = record
        self.now = 0
        self.heap: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self.sequence = 0
        self.scheduler = None if policy is None else Scheduler(policy)
        self.ticks: dict[str, int] = {}
        self.devices: dict[int, Device] = {}
        self.tasks: dict[TaskId, SimTask] = {}
        self._place(scenario)
        self.result = Run(list(self.tasks.values()), list(self.devices.values()))

    def _place(self, scenario: Scenario) -> None:
        pids: dict[str, int] = {}
        alone = self.scheduler is None
        for ticket, (program, copy, at) in enumerate(place(scenario)):
            if alone:
                at = None if copy >= ALONE_COPIES else ticket
            if at is None:
                continue
            device = self.devices.setdefault(at, Device(f"d{at}"))
            process = program.process or f"{ticket}"
            id_ = TaskId(device.name, ticket + 1)
            pid = pids.setdefault(process, len(pids) + 1)
            seed = f"{scenario.seed} {program.name} {copy}"
            task = self.tasks[id_] = SimTask(program, id_, pid, device, seed)
            if self.scheduler is not None and not self.model.interrupt:
                task.window = self.model.window_ns or UNBOUNDED
            self.schedule(program.start_ns, self.start, task)
            if program.stop_ns is not None:
                self.schedule(program.stop_ns, self.stop, task)

    def run(self) -> Run:
        heap, end = self.heap, self.end
        events = 0
        while heap and heap[0][0] <= end:
            self.now, _, action, subject = heappop(heap)
            action(subject)
            events += 1
        self.now = end
        for task in self.tasks.values():
            self._count_held(task)
        self.result.events = events
        return self.result

    def schedule(self, when: int, action: Callable[[Any], None], subject: Any) -> None:
        self.sequence += 1
        heappush(self.heap, (when, self.sequence, action, subject))

    # The program.

    def start(self, task: SimTask) -> None:
        if self.scheduler is not None:
            program = task.program
            self.send(Joined(task.id, task.pid, program.name, program.attributes))
        self.schedule(self.now + task.next_gap(), self.arrive, task)

    def stop(self, task: SimTask) -> None:
        """The program ends. Its launches in flight are dropped, except for the one that runs."""
        task.gone = True
        task.remaining = 0
        task.requests.clear()
        runs = task.device.current is task
        while len(task.queued) > runs:
            task.queued.pop()
        if task.ready and not runs:
            task.device.ready.remove(task)
            task.ready = False
        self._count_held(task)
        self.leave_turn(task)
        if self.scheduler is not None:
            self.send(Left(task.id))

    def arrive(self, task: SimTask) -> None:
        """A request, or the next batch, is due."""
        if task.gone:
            return
        task.requests.append(self.now)
        if task.program.arrivals != "saturating":
            self.schedule(self.now + task.next_gap(), self.arrive, task)
        if not task.working:
            self.begin(task)

    def begin(self, task: SimTask) -> None:
        task.due = task.requests.popleft()
        task.remaining = task.program.launches
        task.working = True
        if not task.active:
            task.active = True
            if self.scheduler is not None:
                self.send(Active(task.id))
        if task.open:
            self.submit(task)
        else:
            self.hold(task)

    def submit(self, task: SimTask) -> None:
        """Submits as many launches as the window has room for; one is always allowed."""
        room = task.window - task.program.launch_ns  # only the mean time of a launch is known
        queued, next_launch = task.queued, task.next_launch
        in_flight, remaining = task.in_flight, task.remaining
        while remaining and (in_flight <= room or not in_flight):
            launch = next_launch()
            queued.append(launch)
            in_flight += launch
            remaining -= 1
        task.submitted += task.remaining - remaining
        task.in_flight, task.remaining = in_flight, remaining
        if queued and not task.ready:
            task.ready = True
            task.device.ready.append(task)
            if task.device.current is None:
                self.dispatch(task.device)

    def finish(self, task: SimTask) -> None:
        """The last launch of a request or batch has ended."""
        task.working = False
        if task.gone:
            return
        if task.program.arrivals == "saturating":
            gap = task.next_gap()
            if gap:
                self.schedule(self.now + gap, self.arrive, task)
            else:
                task.requests.append(self.now)
        elif task.due >= self.warm:
            task.latencies.append(self.now - task.due)
        linger = self.model.linger_ns
        if linger == 0:
            self.become_idle(task)
        if task.requests:
            self.begin(task)
        elif linger:
            task.idle_at = self.now + linger
            if not task.lingering:
                task.lingering = True
                self.schedule(task.idle_at, self.end_linger, task)

    def end_linger(self, task: SimTask) -> None:
        task.lingering = False
        if task.working or task.gone:
            return
        if self.now < task.idle_at:
            task.lingering = True
            self.schedule(task.idle_at, self.end_linger, task)
        else:
            self.become_idle(task)

    def become_idle(self, task: SimTask) -> None:
        task.active = False
        self.leave_turn(task)
        if self.scheduler is not None:
            self.send(Idle(task.id))

    # The device.

    def dispatch(self, device: Device) -> None:
        ready = device.ready
        if not ready:
            return
        if device.slice_left <= 0:
            device.slice_left = self.model.timeslice_ns
            ready.rotate(-1)
        device.current = ready[0]
        device.began = self.now
        device.ends = self.now + ready[0].queued[0]
        self.schedule(device.ends, self.complete, device)

    def complete(self, device: Device) -> None:
        task = device.current
        if task is None or device.ends != self.now:
            return  # the launch was interrupted
        self._count_run(device, task)
        task.in_flight -= task.queued.popleft()
        if self.now > self.warm:
            task.launches += 1
        if task.remaining and task.open:
            self.submit(task)
        if not task.queued:
            device.ready.popleft()
            task.ready = False
            device.slice_left = self.model.timeslice_ns
        device.current = None
        if not task.queued and not task.remaining:
            self.finish(task)
        if device.current is None:
            self.dispatch(device)

    def interrupt(self, task: SimTask) -> None:
        """Stops the running launch of the task; the launch resumes later where it stopped."""
        device = task.device
        if device.current is task:
            self._count_run(device, task)
            done = self.now - device.began
            task.queued[0] -= done
            task.in_flight -= done
            device.current = None
            device.ends = -1
        if task.ready:
            device.ready.remove(task)
            task.ready = False
        if task.queued and task.queued[0] == 0:  # the launch was due to end now
            task.queued[0] = 1
            task.in_flight += 1
        if device.current is None:
            self.dispatch(device)

    # The gate.

    def send(self, event: Event) -> None:
        assert self.scheduler is not None
        answer = self.scheduler.handle(event, self.now)
        delay = self.model.gate_delay_ns
        # A copy, because setting a gate may cause the next event.
        changes = [(self.tasks[view.id], view.open) for view in answer.gates]
        self.result.decisions += len(changes)
        for change in changes:
            if delay:
                self.schedule(self.now + delay, self.set_gate, change)
            else:
                self.set_gate(change)
        for device, at_ns in answer.timers:
            if at_ns is not None and self.ticks.get(device) != at_ns:
                self.ticks[device] = at_ns
                self.schedule(at_ns, self.tick, device)
        if answer.refusals:
            self.result.refused += len(answer.refusals)
            room = KEPT_REFUSALS - len(self.result.refusals)
            self.result.refusals += [refusal.why for refusal in answer.refusals[:room]]
        if answer.failure is not None:
            self.result.failure = answer.failure

    def tick(self, device: str) -> None:
        assert self.scheduler is not None
        if self.scheduler.timers.get(device) == self.now:
            self.send(Tick(device))

    def set_gate(self, change: tuple[SimTask, bool]) -> None:
        task, is_open = change
        task.gate = is_open
        if is_open and task.has_turn:
            self.end_needless_turn(task.device)
        if not (task.yields if is_open else task.has_turn):
            self.apply_gate(task, is_open)

    def apply_gate(self, task: SimTask, is_open: bool) -> None:
        if is_open is task.open or task.gone:
            return
        task.open = is_open
        if is_open:
            self._count_held(task)
            self.submit(task)
            return
        if task.working:
            task.preemptions += self.now > self.warm
            self.hold(task)
        if self.model.interrupt:
            self.interrupt(task)

    def hold(self, task: SimTask) -> None:
        """The task has work and a closed gate. After ``max_wait`` it gets a turn."""
        task.held_since = task.closed_since = self.now
        if self.model.max_wait_ns and not task.checking:
            task.checking = True
            self.schedule(self.now + self.model.max_wait_ns, self.check_wait, task)

    def check_wait(self, task: SimTask) -> None:
        task.checking = False
        if task.open or task.gone or not task.working:
            return
        due = task.closed_since + self.model.max_wait_ns
        if self.now < due:
            task.checking = True
            self.schedule(due, self.check_wait, task)
            return
        self.begin_turn(task)

    def begin_turn(self, first: SimTask) -> None:
        """Tasks that have waited half as long join the turn; running tasks yield during it."""
        device = first.device
        device.turn_until = self.now + self.model.quantum_ns
        self.schedule(device.turn_until, self.end_turn, device)
        since = self.now - self.model.max_wait_ns // 2
        for task in device.tasks:
            if task.gone:
                continue
            if task.open:
                task.yields = task.working and not task.has_turn
            else:
                waited = task.working and not task.yields and task.closed_since <= since
                task.has_turn = waited or task is first
        for task in device.tasks:
            if task.yields or task.has_turn:
                self.apply_gate(task, task.has_turn)

    def end_turn(self, device: Device) -> None:
        if self.now < device.turn_until:
            return
        for task in device.tasks:
            if task.yields or task.has_turn:
                task.yields = task.has_turn = False
                self.apply_gate(task, task.gate)

    def end_needless_turn(self, device: Device) -> None:
        """Ends the yielding if all tasks of the turn have open gates anyway."""
        if any(task.has_turn and not task.gate for task in device.tasks):
            return
        for task in device.tasks:
            if task.yields:
                task.yields = False
                self.apply_gate(task, task.gate)

    def leave_turn(self, task: SimTask) -> None:
        if task.has_turn:
            task.has_turn = False
            self.apply_gate(task, task.gate)
            if not any(other.has_turn for other in task.device.tasks):
                task.device.turn_until = self.now
                self.end_turn(task.device)

    # Counts.

    def _count_run(self, device: Device, task: SimTask) -> None:
        ran = self.now - device.began
        device.slice_left -= ran
        counted = min(ran, self.now - self.warm)
        if counted > 0:
            task.busy_ns += counted
            device.busy_ns += counted
        if self.record is not None:
            self.record.ran(task, device.began, self.now)

    def _count_held(self, task: SimTask) -> None:
        since = task.held_since
        if since is not None:
            task.held_since = None
            task.held_ns += max(0, self.now - max(since, self.warm))
            if self.record is not None:
                self.record.held(task, since, self.now)
