"""Logs what tasks that tolerate a slowdown let others have, and why.

A change of the slack is logged at once. Where the slack keeps changing, the time to the next event
doubles, up to `MOST_NS`, and an event says what has happened since the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from giveway.daemon.gate_log import GateLog
from giveway.daemon.host_task import CLOSED, OPEN, HostTask
from giveway.daemon.log import Log
from giveway.page.decider import Gates
from giveway.page.library import TaskInfo
from giveway.page.observer import slack, slowdown
from giveway.sched.task import Slack

LEAST_NS: Final = 1_000_000_000
MOST_NS: Final = 10_000_000_000
"""From one event about the slack of a task to the next. Blocks are summed up after the latter."""
_KNOWN: Final = ("within", "beyond")
_COMPARED: Final = {
    "": "the tolerance is 0 now",
    "unknown": "slowdown unknown, tolerance {tolerance:g}%",
    "within": "slowdown {slowdown:.1f}%, at most {tolerance:g}% at 3 standard errors",
    "beyond": "slowdown {slowdown:.1f}%, more than {tolerance:g}% at 3 standard errors",
}


class SlackLog:
    def __init__(self, log: Log, gate_log: GateLog) -> None:
        self._log = log
        self._gate_log = gate_log

    def look(self, gates: Gates, tasks: Iterable[HostTask], now: int) -> None:
        """Looks at the tasks of a page that tolerate a slowdown, or did."""
        for task in tasks:
            if task.device != gates.device or not (
                task.slack.logged or "slowdown=" in task.attributes_text
            ):
                continue
            info = gates.info(task.row, task.id.ticket)
            if info is not None:
                self._look_at(task, info, now)

    def _look_at(self, task: HostTask, info: TaskInfo, now: int) -> None:
        seen, found = task.slack, slack(info)
        seen.changes += found != seen.last
        seen.last = found
        passed = now - seen.logged_ns
        set_by_user = not (found and seen.logged)
        changed = found != seen.logged and (set_by_user or passed >= seen.gap_ns)
        if changed or (seen.blocks and passed >= MOST_NS):
            calm = passed > 2 * seen.gap_ns
            seen.gap_ns = LEAST_NS if calm else min(2 * seen.gap_ns, MOST_NS)
            self._add(task, info, now)
        if seen.fields:
            gate = OPEN if seen.logged == "within" else CLOSED
            self._gate_log.tell(task, gate, _compare(seen.fields))

    def _add(self, task: HostTask, info: TaskInfo, now: int) -> None:
        seen, found = task.slack, slack(info)
        contended = info.contended_ns - seen.contended_ns
        together = info.beside_ns - seen.together_ns
        seen.fields = {
            "slack": found,
            "tolerance": info.slack_tolerance / 1e4,
            "slowdown": slowdown(info),
            "credit_seconds": info.slack_credit_ns / 1e9,
            "together": 100 * together / contended if contended > 0 else None,
            "blocks": seen.blocks,
            "changes": seen.changes,
        }
        reason = _reason(seen.logged, found, seen.changes)
        why = f"{reason}: {_describe(seen.fields)}" if found else reason
        self._log.add("slack", **task.about, **seen.fields, reason=reason, why=why)
        seen.logged, seen.logged_ns = found, now
        seen.together_ns, seen.contended_ns = info.beside_ns, info.contended_ns
        seen.blocks = seen.changes = 0


def _reason(before: Slack, now: Slack, changes: int) -> str:
    if not now:
        return _COMPARED[now]
    if before == now:
        return "as before" if changes else "no change"
    if before in _KNOWN:
        return "the work or the others have changed"
    return "nothing known yet" if now == "unknown" else "measured"


def _compare(fields: Mapping[str, Any]) -> str:
    return _COMPARED[fields["slack"]].format(**fields)


def _describe(fields: Mapping[str, Any]) -> str:
    together = fields["together"]
    parts = (
        _compare(fields),
        f"credit {1e3 * fields['credit_seconds']:.1f}ms",
        "" if together is None else f"together {together:.0f}%",
        f"{fields['blocks']} blocks" if fields["blocks"] > 1 else "",
        f"{fields['changes']} changes" if fields["changes"] > 1 else "",
    )
    return ", ".join(filter(None, parts))
