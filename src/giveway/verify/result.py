"""The result that ``giveway verify --json`` writes; ``schema.json`` has the schema."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from giveway import devices
from giveway.devices.machine import machine, versions
from giveway.verify.options import Options
from giveway.verify.session import Outcome, Results

SCHEMA: Final = 1
STATUSES: Final = ("passed", "failed", "skipped")


def make_result(options: Options, results: Results) -> dict[str, Any]:
    """The result of a run, as JSON values."""
    counts = Counter(outcome.status for outcome in results.outcomes)
    environment = next((each.environment for each in results.outcomes if each.environment), {})
    return {
        "schema": SCHEMA,
        "command": "verify",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": os.environ.get("GIVEWAY_COMMIT") or None,
        "device": {
            "name": options.device,
            "description": devices.get(options.device).description,
        },
        "machine": machine(options.device),
        "versions": versions(),
        "torch": dict(environment),
        "seed": options.seed,
        "jobs": options.jobs,
        "rivals": options.rivals,
        "rivals_worked": results.rivals_worked,
        "holds": results.holds,
        "at_start": dict(results.at_start),
        "seconds": round(results.seconds, 3),
        "interrupted": results.interrupted,
        "ok": ok(results, options.rivals),
        "counts": {status: counts[status] for status in STATUSES},
        "checks": [_check(outcome) for outcome in results.outcomes],
    }


def ok(results: Results, rivals: int = 0) -> bool:
    """Whether at least one check passed and none failed; beside rivals, also whether these held a
    check, because rivals that hold nothing prove nothing."""
    statuses = {outcome.status for outcome in results.outcomes}
    held = results.holds > 0 or not rivals
    return held and not results.interrupted and "passed" in statuses and "failed" not in statuses


def _check(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.check.name,
        "phase": outcome.check.phase,
        "title": outcome.check.title,
        "status": outcome.status,
        "reason": outcome.reason or None,
        "ended": outcome.ended,
        "seconds": outcome.seconds,
        "comparison": None if outcome.verdict is None else outcome.verdict.to_json(),
        "not_deterministic": list(outcome.not_deterministic),
        "seen": None if outcome.seen is None else outcome.seen.to_json(),
        "facts": dict(outcome.facts),
        "rss_bytes": outcome.rss_bytes,
    }
