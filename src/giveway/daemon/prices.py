"""Logs what it costs tasks that less urgent ones run beside them, whenever that becomes known or
changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from giveway.daemon.host_task import HostTask
from giveway.daemon.log import Log
from giveway.page.decider import Gates
from giveway.page.observer import price, slowdown
from giveway.sched.task import Price

_EVENTS: Final[dict[Price, tuple[str, str]]] = {
    "": ("apart", "no slowdown is tolerated any more"),
    "unknown": ("measures", "what others cost is not known: they run as the credit allows"),
    "cheap": ("together", "others cost {0:.1f}% of {1:g}%: they run beside it"),
    "dear": ("apart", "others cost {0:.1f}% of {1:g}%: they run as the credit allows"),
}


class Prices:
    def __init__(self, log: Log) -> None:
        self._log = log

    def look(self, gates: Gates, tasks: Iterable[HostTask]) -> None:
        """Looks at the tasks of a page that tolerate a slowdown, or did."""
        for task in tasks:
            if task.device != gates.device or not (
                task.price or "slowdown=" in task.attributes_text
            ):
                continue
            info = gates.info(task.row, task.id.ticket)
            found = task.price if info is None else price(info)
            if info is None or found == task.price:
                continue
            what, why = _EVENTS[found]
            costs = why.format(slowdown(info) or 0.0, info.slack_tolerance / 1e4)
            self._log.add(what, **task.about, why=costs)
            task.price = found
