"""The settings that a configuration file may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from giveway.sched import memory
from giveway.sched.attributes import KINDS, Kind


@dataclass(frozen=True, slots=True)
class Key:
    """One setting; the option of `giveway run` and the variable GIVEWAY_KEY have its name."""

    kind: Kind
    """Its parser, and its range in words."""
    built_in: str
    """The value where nothing sets one."""
    to_variable: Callable[[str], str] | None = None
    """Converts the value to that of GIVEWAY_KEY for programs, which also counts for the programs
    that they start; None: programs read the priority and the attributes instead."""


def _amount(text: str) -> str:
    return text if text.isdecimal() else memory.parse(text, "memory").setting()


def _switch(text: str) -> str:
    if text not in ("true", "false", "1", "0"):
        raise ValueError
    return "1" if text in ("true", "1") else "0"


_AMOUNT: Final = "an amount such as 40GiB or 50%, or a number of bytes; 0: none"

KEYS: Final = {
    "priority": Key(KINDS["priority"], "0"),
    "slowdown": Key(KINDS["slowdown"], "0%"),
    "memory": Key(Kind("memory", _amount, _AMOUNT), "0", _amount),
    "reserve": Key(Kind("reserve", _amount, _AMOUNT), "0", _amount),
    "parkable": Key(Kind("parkable", _switch, "true or false"), "false", _switch),
}
