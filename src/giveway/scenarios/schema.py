"""What each key of a scenario file may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from giveway.scenarios.catalog import SIZES
from giveway.scenarios.model import ARRIVALS, FIGURES, MODES, TASKS
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN


@dataclass(frozen=True, slots=True)
class Rule:
    """One key: what is allowed, and what it is when missing."""

    ok: Callable[[Any], bool]
    allowed: str
    """In words, for the one who wrote something else."""
    default: Any = None
    required: bool = False
    by_device: bool = False
    """May be a table with ``cpu`` and ``gpu`` instead, each with such a value."""


def _number(low: float, high: float) -> Callable[[Any], bool]:
    def ok(value: Any) -> bool:
        return isinstance(value, int | float) and value is not True and low < value <= high

    return ok


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _list_of(ok: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and value != [] and all(map(ok, value))


def _one_of(names: tuple[str, ...]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in names


def _variables(pattern: str) -> Callable[[Any], bool]:
    def ok(value: Any) -> bool:
        return isinstance(value, dict) and all(
            re.fullmatch(pattern, key) and isinstance(text, str) for key, text in value.items()
        )

    return ok


def _table(value: Any) -> bool:
    return isinstance(value, dict)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and value is not True and PRIORITY_MIN <= value <= PRIORITY_MAX


def _words(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


_LARGE = 1e9
_POSITIVE = "a number above 0"

TOP: Final = {
    "title": Rule(_text, "a line of text", required=True),
    "together": Rule(lambda value: isinstance(value, bool), "true or false", True),
    "modes": Rule(_list_of(_one_of(MODES)), f"a list of {_words(MODES)}", MODES),
    "start_timeout": Rule(_number(0, _LARGE), f"{_POSITIVE} of seconds", 180.0),
    "answer_timeout": Rule(_number(0, _LARGE), f"{_POSITIVE} of seconds", 120.0),
    "program": Rule(_list_of(_table), "one [[program]] or more", required=True),
    "bar": Rule(_list_of(_table), "[[bar]] tables", []),
}

PROGRAM: Final = {
    "name": Rule(
        lambda value: isinstance(value, str) and bool(re.fullmatch(r"[\w-]{1,20}", value)),
        "1 to 20 letters, digits, - and _",
        required=True,
    ),
    "priority": Rule(_whole, f"a whole number from {PRIORITY_MIN} to {PRIORITY_MAX}", 0),
    "model": Rule(_one_of(tuple(SIZES)), _words(tuple(SIZES))),
    "task": Rule(_one_of(TASKS), _words(TASKS), "infer"),
    "sizes": Rule(_list_of(_table), "a list of tables like {batch = 1}", by_device=True),
    "command": Rule(_list_of(_text), 'a list of words like ["python", "serve.py"]', []),
    "arrivals": Rule(_one_of(ARRIVALS), _words(ARRIVALS), "saturating"),
    "rate": Rule(_number(0, _LARGE), f"{_POSITIVE} of requests per second", by_device=True),
    "busy": Rule(_number(0, 1), "a share above 0, at most 1", by_device=True),
    "trace": Rule(_text, "the path of a file, from where this file is"),
    "environment": Rule(_variables(r"[A-Za-z_]\w*"), 'a table like {NAME = "text"}', {}),
    "hints": Rule(_variables(r"GIVEWAY_\w+"), 'a table like {GIVEWAY_LINGER_MS = "5"}', {}),
}

BAR: Final = {
    "figure": Rule(_one_of(FIGURES), _words(FIGURES), required=True),
    "program": Rule(_text, "the name of a program", ""),
    "order": Rule(_list_of(_text), "a list of names of programs", []),
    "at_most": Rule(_number(0, _LARGE), _POSITIVE, by_device=True),
    "at_least": Rule(_number(0, _LARGE), _POSITIVE, by_device=True),
    "mode": Rule(_one_of(MODES), _words(MODES), "giveway"),
}
