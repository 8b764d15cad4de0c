"""The rules for each key of a scenario file: one vocabulary, from which ``bench`` and ``simulate``
each read their keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from giveway.scenarios import modes
from giveway.scenarios.catalog import SIZES
from giveway.scenarios.model import ARRIVALS, FIGURES, PORT, TASKS
from giveway.sched.attributes import (
    KINDS,
    Kind,
    duration,
    parse_duration,
    real,
    whole,
    word,
    yes,
)
from giveway.sched.placement import PRECISION
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN

MS: Final = 1_000_000
MAX_TASKS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of one key: its allowed values and its default."""

    read: Callable[[Any], Any]
    """Converts the value in the file; raises ValueError or UsageError if it is not allowed."""
    allowed: str
    """The allowed values in words, for error messages."""
    default: Any = None
    required: bool = False
    by_device: bool = False
    """Whether a table with a value for ``cpu`` and for ``gpu`` is allowed as well."""
    field: str = ""
    """The field of the simulation's dataclass that stores the value."""


def _checked(ok: Callable[[Any], bool]) -> Callable[[Any], Any]:
    """A reader that returns a valid value unchanged."""

    def read(value: Any) -> Any:
        if not ok(value):
            raise ValueError
        return value

    return read


def _number(low: float, high: float) -> Callable[[Any], Any]:
    return _checked(
        lambda value: isinstance(value, int | float) and value is not True and low < value <= high
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_one_of(names: tuple[str, ...]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in names


def _one_of(names: tuple[str, ...]) -> Callable[[Any], Any]:
    return _checked(_is_one_of(names))


def _list_of(ok: Callable[[Any], bool]) -> Callable[[Any], Any]:
    return _checked(lambda value: isinstance(value, list) and value != [] and all(map(ok, value)))


def _variables(pattern: str) -> Callable[[Any], Any]:
    return _checked(
        lambda value: (
            isinstance(value, dict)
            and all(
                re.fullmatch(pattern, key) and isinstance(text, str) for key, text in value.items()
            )
        )
    )


def _is_priority(value: Any) -> bool:
    return isinstance(value, int) and value is not True and PRIORITY_MIN <= value <= PRIORITY_MAX


def _mode(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return modes.named(value)


def _modes(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise ValueError
    return [_mode(each) for each in value]


def _words(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _of(kind: Kind, by_device: bool = False) -> Rule:
    """The rule of a key that can also be given as text on a command line."""
    flag = kind.parse is yes

    def read(value: Any) -> Any:
        if isinstance(value, bool) is not flag:
            raise ValueError
        return kind.parse(("no", "yes")[value] if flag else str(value))

    allowed = "true or false" if flag else kind.allowed
    return Rule(read, allowed, by_device=by_device, field=kind.field)


def _gpus(text: str) -> float:
    value = real(0, 1)(text)
    if round(value, PRECISION) != value:
        raise ValueError
    return value


def _factors(value: Any) -> dict[str, float]:
    """By which factor a kind of work is slower beside another, by ``kind*other``."""
    if not isinstance(value, dict):
        raise ValueError
    for pair, factor in value.items():
        kind, star, other = pair.partition("*")
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not (kind and star and other and number and 1 <= factor <= 1000):
            raise ValueError
    return {pair: float(factor) for pair, factor in value.items()}


def _lengths(value: Any) -> tuple[int, int]:
    """The least and the most tokens, from a number or a list of two."""
    least, most = value if isinstance(value, list) else (value, value)
    for each in (least, most):
        if not isinstance(each, int) or isinstance(each, bool) or each < 1:
            raise ValueError
    if least > most:
        raise ValueError
    return least, most


def _objective(value: Any) -> dict[str, float]:
    """The limits of an objective in milliseconds."""
    if not isinstance(value, dict) or not value or not set(value) <= set(OBJECTIVES):
        raise ValueError
    limits = {}
    for key, text in value.items():
        if not isinstance(text, str) or (limit := parse_duration(text)) <= 0:
            raise ValueError
        limits[key] = limit / MS
    return limits


def _endpoint(value: Any) -> str:
    """The URL of an endpoint; ``/v1/completions`` where the URL names only the server.

    Its port may be a number or `PORT`.
    """
    if not isinstance(value, str):
        raise ValueError
    netloc = urlsplit(value).netloc
    # Any number stands for the port that is chosen later.
    parts = urlsplit(value.replace(netloc, netloc.replace(f":{PORT}", ":1"), 1))
    path = parts.path.rstrip("/")
    if parts.scheme != "http" or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    if path in ("", "/v1"):
        path = "/v1/completions"
    if not path.endswith("/completions") or parts.port == 0:  # the port raises ValueError too
        raise ValueError
    if PORT in parts.netloc + path:
        raise ValueError
    return f"http://{netloc}{path}"


def _jitter(text: str) -> float:
    if not 0 <= float(text) < 1:
        raise ValueError
    return float(text)


OBJECTIVES: Final = ("ttft", "tpot", "e2e")
"""The times of a request that an objective can limit."""
_LARGE = 1e9
_POSITIVE = "a number above 0"
_TIME = "a time such as 20ms"
_LENGTHS = "a whole number of tokens from 1, or the least and the most like [64, 256]"
PLACEMENTS: Final = ("next", "fractions", "urgent")

TOP: Final = {
    "title": Rule(_checked(_is_text), "a line of text"),
    "together": Rule(_checked(lambda value: isinstance(value, bool)), "true or false", True),
    "modes": Rule(_modes, f"a list of {modes.ALLOWED}", modes.MODES),
    "start_timeout": Rule(_number(0, _LARGE), f"{_POSITIVE} of seconds", 180.0),
    "answer_timeout": Rule(_number(0, _LARGE), f"{_POSITIVE} of seconds", 120.0),
    "simulation": Rule(_checked(_is_table), "one [simulation] table", {}),
    "program": Rule(_list_of(_is_table), "one [[program]] or more", required=True),
    "bar": Rule(_list_of(_is_table), "[[bar]] tables", []),
}

RUN: Final = {
    "duration": _of(Kind("duration_ns", duration(MS), "a time from 1ms to 3600s")),
    "warm": _of(Kind("warm_ns", duration(0), _TIME)),
    "seed": _of(Kind("seed", whole(0, 1 << 62), "a whole number from 0")),
    "devices": _of(Kind("devices", whole(1, MAX_TASKS), f"1 to {MAX_TASKS}")),
    "devices_per_node": _of(Kind("devices_per_node", whole(1, 64), "1 to 64")),
    "placement": Rule(_one_of(PLACEMENTS), _words(PLACEMENTS), field="placement"),
    "spread": _of(Kind("spread", yes, "")),
}
MODEL: Final = {
    "window": _of(Kind("window_ns", duration(0), _TIME)),
    "gate_delay": _of(Kind("gate_delay_ns", duration(0), _TIME)),
    "linger": _of(Kind("linger_ns", duration(0), _TIME)),
    "interrupt": _of(Kind("interrupt", yes, "")),
    "max_wait": _of(Kind("max_wait_ns", duration(0), _TIME)),
    "quantum": _of(Kind("quantum_ns", duration(1), _TIME)),
    "timeslice": _of(Kind("timeslice_ns", duration(1000), "a time from 1us")),
    "beside": Rule(
        _factors, 'a table like {"serve*train" = 1.5}: factors from 1 to 1000', field="beside"
    ),
}
SIMULATION: Final = RUN | MODEL
"""``[simulation]``: duration, devices, and the behaviour of devices and gates."""

ATTRIBUTES: Final = {name: _of(kind) for name, kind in KINDS.items() if name != "priority"}
LAUNCHES: Final = {
    "launch": _of(Kind("launch_ns", duration(1000), "a time from 1us")),
    "launches": _of(Kind("launches", whole(1, 1_000_000), "1 to 1000000")),
    "jitter": _of(Kind("jitter", _jitter, "0 to less than 1")),
    "gap": _of(Kind("period_ns", duration(0), _TIME)),
    "phase": _of(Kind("phase_ns", duration(0), _TIME)),
    "gpus": _of(Kind("gpus", _gpus, "above 0, up to 1, with four decimal places at most")),
    "count": _of(Kind("count", whole(1, MAX_TASKS), f"1 to {MAX_TASKS}")),
    "device": _of(Kind("device", whole(0, MAX_TASKS), "the number of a device, from 0")),
    "kind": _of(Kind("kind", word, "a name of up to 64 characters")),
    "process": _of(Kind("process", word, "a name of up to 64 characters")),
    "start": _of(Kind("start_ns", duration(0), _TIME)),
    "stop": _of(Kind("stop_ns", duration(0), _TIME)),
}
"""The keys that describe a program's launches to a simulation, which does not run the program."""

_NAME = _checked(lambda value: isinstance(value, str) and bool(re.fullmatch(r"[\w-]{1,20}", value)))
_NAMES = "1 to 20 letters, digits, - and _"
_MODEL = {
    "model": Rule(_one_of(tuple(SIZES)), _words(tuple(SIZES))),
    "sizes": Rule(_list_of(_is_table), "a list of tables like {batch = 1}", by_device=True),
}

PROGRAM: Final = {
    "name": Rule(_NAME, _NAMES, required=True),
    "priority": Rule(
        _checked(_is_priority), f"a whole number from {PRIORITY_MIN} to {PRIORITY_MAX}", 0
    ),
    **_MODEL,
    "variant": Rule(_list_of(_is_table), "[[program.variant]] tables", []),
    "task": Rule(_one_of(TASKS), _words(TASKS), "infer"),
    "command": Rule(_list_of(_is_text), 'a list of words like ["python", "serve.py"]', []),
    "arrivals": Rule(_one_of(ARRIVALS), _words(ARRIVALS), "saturating"),
    "rate": Rule(_number(0, _LARGE), f"{_POSITIVE} of requests per second", by_device=True),
    "period": _of(Kind("period_ns", duration(1000), "a time from 1us"), by_device=True),
    "busy": Rule(_number(0, 1), "a share above 0, at most 1", by_device=True),
    "trace": Rule(_checked(_is_text), "the path of a file, relative to this file"),
    "environment": Rule(_variables(r"[A-Za-z_]\w*"), 'a table like {NAME = "text"}', {}),
    "hints": Rule(_variables(r"GIVEWAY_\w+"), 'a table like {GIVEWAY_LINGER_MS = "5"}', {}),
    "quota": Rule(_number(0, _LARGE), f"{_POSITIVE} of cores", by_device=True),
    "openai": Rule(
        _endpoint,
        'the URL of a server that the command starts, such as "http://127.0.0.1:8000" or'
        f' "http://127.0.0.1:{PORT}", or of an endpoint that ends in /completions',
    ),
    "prompt": Rule(_one_of(("text", "tokens")), '"text", "tokens"'),
    "request": Rule(_checked(_is_table), 'a table like {model = "mine", ignore_eos = true}'),
    "prompt_tokens": Rule(_lengths, _LENGTHS, by_device=True),
    "output_tokens": Rule(_lengths, _LENGTHS, by_device=True),
    "slo": Rule(
        _objective,
        'a table of times like {ttft = "200ms", tpot = "20ms", e2e = "2s"}',
        by_device=True,
    ),
    **ATTRIBUTES,
    **LAUNCHES,
}

VARIANT: Final = _MODEL | {
    "name": Rule(_NAME, _NAMES),
    "model": replace(_MODEL["model"], required=True),
}

BAR: Final = {
    "figure": Rule(_one_of(FIGURES), _words(FIGURES), required=True),
    "program": Rule(_checked(_is_text), "the name of a program", ""),
    "order": Rule(_list_of(_is_text), "a list of names of programs", []),
    "at_most": Rule(_number(0, _LARGE), _POSITIVE, by_device=True),
    "at_least": Rule(_number(0, _LARGE), _POSITIVE, by_device=True),
    "mode": Rule(_mode, modes.ALLOWED, "giveway"),
}

MOVED: Final = {
    "": {
        "task": "a program is a [[program]] table",
        "model": "the behaviour of devices belongs to the table [simulation]",
        "name": "a scenario is named by its file, and has a title",
        **{key: f"{key} belongs to the table [simulation]" for key in RUN},
    },
}
"""Keys of the former vocabulary of ``simulate``, by table, with the advice that replaces them."""
RENAMED: Final = {"continuous": "saturating", "periodic": "fixed"}
"""Former names of arrivals, with their present names."""
GONE: Final = {
    "share_of_left": '"share_of_alone", or "kept_of_native" for its share of the mode native',
}
"""Former figures, with those that replace them."""
