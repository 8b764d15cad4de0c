"""What `giveway top` shows at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from giveway.cli.live.rates import Rates
from giveway.cli.live.steering import Steering
from giveway.cli.parts.tasks import NO_TASKS, Row
from giveway.observe.details import UNKNOWN, Details, Key, key

if TYPE_CHECKING:
    from giveway.observe.programs import Program
    from giveway.sched.task import Task


@dataclass(frozen=True, slots=True)
class View:
    """The tasks at one moment, and how to show them."""

    tasks: list[Task]
    others: list[Program]
    """Programs that have no task."""
    about: str
    """For the title: the policy in service, or how much of the cluster is shown."""
    daemon: Steering = field(default_factory=Steering)
    notes: list[str] = field(default_factory=list)
    """Lines below the tasks."""
    empty: str = NO_TASKS
    """The text to show where there are no tasks."""
    at: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """When each task (device, ticket) was read, on the monotonic clock; now, for a task without an
    entry."""
    details: Mapping[Key, Details] = field(default_factory=dict)
    update_after: float | None = None
    """Seconds until the next view, where more data may come soon; None: the interval."""

    def rows(self, rates: Rates, order: str) -> list[Row]:
        """A row for each task, sorted, and then for each program that has none.

        Args:
            rates: the rates since an earlier view, updated by this one.
            order: a key of `SORTS`.
        """
        tasks = [
            Row(
                rate.task,
                self.details.get(key(rate.task), UNKNOWN),
                rate,
                self.daemon.promised.get((rate.task.device, rate.task.ticket)),
            )
            for rate in rates.rows(order)
        ]
        others = [Row(other, self.details.get(key(other), UNKNOWN)) for other in self.others]
        return tasks + others
