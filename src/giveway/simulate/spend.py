"""Tasks that spend their slack, as libgiveway's watcher does in a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol, TypeAlias

from giveway.sched.policies import Policy
from giveway.sched.task import Active, Event, Idle, Left, Shares
from giveway.simulate.machine import Machine
from giveway.simulate.parts import SimTask
from giveway.simulate.record import Record
from giveway.simulate.scenario import MS, Scenario

_TICK_NS: Final = 2 * MS
"""How often the watcher looks for other tasks with work."""


class Scene(IntEnum):
    """``enum gw_slack_scene``."""

    RESTS = 0
    ALONE = 1
    APART = 2
    TOGETHER = 3


class Controller(Protocol):
    """The controller of slack: `giveway.page.slack` has libgiveway's."""

    def begin(self, now: int, scene: int, beside: int) -> None: ...
    def step(self, now: int, progress: int, scene: int, beside: int) -> int: ...
    def end(self, now: int) -> None: ...
    @property
    def together(self) -> bool: ...


NewController: TypeAlias = Callable[[float, int, int], Controller]
"""From the tolerance (0.1 for 10 %), how much work of others goes on behind a closed gate, and for
how long."""


@dataclass(slots=True)
class _Spender:
    controller: Controller
    due_ns: int = -1
    """When its next step is due; below 0: the task is idle."""


class Spending(Machine):
    """A machine whose tasks spend the slowdown that they tolerate."""

    def __init__(
        self,
        scenario: Scenario,
        policy: Policy | None,
        record: Record | None = None,
        slack: NewController | None = None,
    ) -> None:
        super().__init__(scenario, policy, record)
        self.spenders: dict[SimTask, _Spender] = {}
        if policy is None or slack is None:
            return
        drain = 0 if self.model.interrupt else self.model.window_ns
        turn = self.model.timeslice_ns if drain and self.model.beside is None else 0
        for task in self.tasks.values():
            tolerance = task.program.attributes.slowdown / 100
            if tolerance:
                self.spenders[task] = _Spender(slack(tolerance, drain, drain + turn))

    def send(self, event: Event) -> None:
        spender = None
        if self.spenders and isinstance(event, Active | Idle | Left):
            spender = self.spenders.get(self.tasks[event.task])
        if spender is not None and not isinstance(event, Active) and spender.due_ns >= 0:
            spender.due_ns = -1
            spender.controller.end(self.now)
        super().send(event)
        if spender is not None and isinstance(event, Active):
            task = self.tasks[event.task]
            spender.controller.begin(self.now, *self._scene(task))
            spender.due_ns = self.now
            self._step(task)

    def _scene(self, task: SimTask) -> tuple[Scene, int]:
        """What the task sees, and the other tasks with work as a number."""
        if not task.working or not task.open:
            return Scene.RESTS, 0
        scene, beside = Scene.ALONE, 0
        for other in task.device.tasks:
            less = other.program.attributes.priority < task.program.attributes.priority
            if less and other.active and not other.gone:
                runs = other.open or scene is Scene.TOGETHER
                scene = Scene.TOGETHER if runs else Scene.APART
                beside = (beside + other.id.ticket * 0x9E3779B97F4A7C15) & (1 << 64) - 1
        return scene, beside

    def _step(self, task: SimTask) -> None:
        spender = self.spenders[task]
        if spender.due_ns != self.now:
            return
        until = self.now
        for _ in range(3):
            until = spender.controller.step(self.now, task.submitted, *self._scene(task))
            if spender.controller.together is not task.shares:
                task.shares = spender.controller.together
                self.send(Shares(task.id, task.shares))
            if until > self.now:
                break
        spender.due_ns = max(self.now + 1, min(until, self.now + _TICK_NS))
        self.schedule(spender.due_ns, self._step, task)
