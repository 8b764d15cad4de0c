"""The settings that a configuration file may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from giveway.sched.attributes import KINDS, Kind


@dataclass(frozen=True, slots=True)
class Key:
    """One setting; the option of `giveway run` and the variable GIVEWAY_KEY have its name."""

    kind: Kind
    """Its parser, and its range in words."""
    built_in: str
    """The value where nothing sets one."""


KEYS: Final = {
    "priority": Key(KINDS["priority"], "0"),
    "slowdown": Key(KINDS["slowdown"], "0%"),
}
