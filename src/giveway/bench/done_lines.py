"""The lines in which a command reports its answers, and what they amount to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

FORM: Final = "done LATENCY [BUSY]"
"""The form that most commands need; docs/guides/own-scenario.md has all of it."""
_NAMED: Final = ("ttft", "tpot", "tokens")


@dataclass(frozen=True, slots=True)
class Done:
    """One answer; times in seconds, None where the command does not know."""

    latency: float
    busy: float | None = None
    ttft: float | None = None
    tpot: float | None = None
    tokens: float | None = None


def parse(line: str) -> Done | None:
    """What one line says; None if it is not of the agreed form."""
    word, *rest = line.split()
    pairs = [each.partition("=") for each in rest if "=" in each]
    try:
        numbers = [float(each) for each in rest if "=" not in each]
        named = {name: float(number) for name, _, number in pairs}
    except ValueError:
        return None
    if word != "done" or not 1 <= len(numbers) <= 2 or len(named) < len(pairs):
        return None
    if not set(named) <= set(_NAMED):
        return None
    if not all(0 <= each < math.inf for each in (*numbers, *named.values())):
        return None
    return Done(*numbers, **named)


def measurements(counted: Sequence[Done], late: Sequence[Done]) -> dict[str, Any]:
    """The fields of a record. A kind of time that not every answer has is left out.

    Args:
        counted: the answers of the counted seconds.
        late: later answers to requests that were due in them.
    """
    every = (*counted, *late)
    busy = [each.busy for each in counted if each.busy is not None]
    found: dict[str, Any] = {
        "latencies_us": [_us(each.latency) for each in every],
        "busy_seconds": sum(busy) if counted and len(busy) == len(counted) else None,
        "done": float(len(counted)),
    }
    if every and all(each.busy is not None for each in every):
        found["service_us"] = [_us(each.busy) for each in every]
    if every and all(each.ttft is not None for each in every):
        found["ttft_us"] = [_us(each.ttft) for each in every]
        # An answer of one token has no time from one to the next.
        found["tpot_us"] = [None if each.tpot is None else _us(each.tpot) for each in every]
    if every and all(each.tokens is not None for each in every):
        found["tokens"] = [each.tokens for each in every]
        found["tokens_done"] = sum(each.tokens or 0.0 for each in counted)
    return found


def _us(seconds: float | None) -> float:
    assert seconds is not None
    return round(seconds * 1e6, 1)
