"""The requests of the daemon's clients: one JSON object a line, fully checked before any action."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from giveway.errors import UsageError, choices

MAX_LINE: Final = 65_536
"""Bytes of a request, the newline included."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose fields have valid types and sizes."""

    do: str
    policy: str = ""
    pid: int = 0
    name: str | None = None
    device: str | None = None
    after: int = 0
    follow: bool = False


def _word(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= 1000


def _optional_word(value: Any) -> bool:
    return value is None or _word(value)


_FIELDS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "policy": (_word, "a policy's name"),
    "pid": (lambda value: type(value) is int and 0 < value < 2**31, "a process id"),
    "name": (_optional_word, "a task's name"),
    "device": (_optional_word, "a device's name"),
    "after": (lambda value: type(value) is int and 0 <= value < 2**63, "an event's number"),
    "follow": (lambda value: type(value) is bool, "true or false"),
}

# The required and the optional fields of each request.
_REQUESTS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "status": ((), ()),
    "policy": (("policy",), ()),
    "pause": (("pid",), ("name", "device")),
    "resume": (("pid",), ("name", "device")),
    "events": ((), ("after", "follow")),
}


def parse(line: bytes) -> Request:
    """Parses a request.

    Raises:
        UsageError: the line is not a valid request.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError("a request is one line of JSON") from None
    if not isinstance(document, dict):
        raise UsageError("a request is a JSON object")
    do = document.pop("do", None)
    if not isinstance(do, str) or do not in _REQUESTS:
        raise UsageError(f"unknown request {str(do)[:100]!r}: {choices(str(do)[:100], _REQUESTS)}")
    required, optional = _REQUESTS[do]
    for key, value in document.items():
        if key not in required and key not in optional:
            raise UsageError(f"request {do!r} has no {key[:100]!r}")
        is_valid, allowed = _FIELDS[key]
        if not is_valid(value):
            raise UsageError(f"{key} of request {do!r} must be {allowed}")
    for key in required:
        if key not in document:
            raise UsageError(f"request {do!r} needs {key!r}")
    return Request(do, **document)
