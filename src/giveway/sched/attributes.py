"""Task attributes as users write them (``deadline=20ms``), and their parsed values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from giveway.errors import UsageError, choices
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN, Attributes

_UNITS: Final = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?) ?([^\W\d]*)")
TEXT_BYTES: Final = 247
"""The most bytes of UTF-8 that a gate page keeps of a task's attributes."""
NONE: Final = "none"
"""The value that resets an attribute to its default."""


def parse_duration(text: str) -> int:
    """Converts a time such as ``20ms`` or ``1.5s`` to nanoseconds.

    Raises:
        UsageError: ``text`` is not a time.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not a time: write 20ms, 500us or 1.5s")
    number, unit = found.groups()
    if unit not in _UNITS:
        what = f"unknown unit {unit!r} in {text!r}" if unit else f"{text!r} has no unit"
        raise UsageError(f"{what}: {choices(unit, _UNITS.keys() - {'µs'})}")
    return round(float(number) * _UNITS[unit])


def show_duration(nanoseconds: int) -> str:
    """The shortest spelling that `parse_duration` converts back to the same value."""
    unit = next(u for u in ("s", "ms", "us", "ns") if nanoseconds % _UNITS[u] == 0)
    return f"{nanoseconds // _UNITS[unit]}{unit}"


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers in a range. Like the parsers below, it raises ValueError."""

    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return parse


def real(low: float, high: float, suffix: str = "") -> Callable[[str], float]:
    """A parser of numbers above ``low``, up to ``high``."""

    def parse(text: str) -> float:
        value = float(text.removesuffix(suffix))
        if not (low < value <= high and math.isfinite(value)):
            raise ValueError
        return value

    return parse


def percentage(text: str) -> float:
    """Parses ``10%`` or ``10``, from 0 to 100, where 0 is as good as none. Further digits would be
    written with an exponent, which libgiveway does not read."""
    value = round(float(text.removesuffix("%")), 4)
    if not 0 <= value <= 100:  # a NaN is not either
        raise ValueError
    return value


def duration(low_ns: int) -> Callable[[str], int]:
    """A parser of times from ``low_ns`` to one hour; its result is in nanoseconds."""

    def parse(text: str) -> int:
        value = parse_duration(text)
        if not low_ns <= value <= 3_600_000_000_000:
            raise ValueError
        return value

    return parse


def word(text: str) -> str:
    """Parses a name."""
    if len(text) > 64 or not text.isprintable():
        raise ValueError
    return text


def one_word(text: str) -> str:
    """Parses a name without spaces, because spaces separate attributes."""
    if " " in text:
        raise ValueError
    return word(text)


def yes(text: str) -> bool:
    """Parses ``yes`` or ``no``."""
    if text not in ("yes", "no"):
        raise ValueError
    return text == "yes"


@dataclass(frozen=True, slots=True)
class Kind:
    """One value that users can set: its field, its parser and its range."""

    field: str
    """The field of `Attributes`, or of another dataclass that stores the value."""
    parse: Callable[[str], Any]
    allowed: str
    """The range in words, for error messages."""


KINDS: Final = {
    "priority": Kind(
        "priority", whole(PRIORITY_MIN, PRIORITY_MAX), f"{PRIORITY_MIN} to {PRIORITY_MAX}"
    ),
    "weight": Kind("weight", real(0, 10_000), "a number above 0, up to 10000"),
    "share": Kind("share", real(0, 100, "%"), "a percentage above 0, up to 100"),
    "slowdown": Kind("slowdown", percentage, "a percentage from 0 to 100, such as 10%"),
    "deadline": Kind("deadline_ns", duration(1), "a time such as 20ms, up to 3600s"),
    "laxity": Kind("laxity_ns", duration(0), "a time such as 20ms, up to 3600s"),
    "slice": Kind("slice_ns", duration(100_000), "a time from 100us to 3600s"),
    "nice": Kind("nice", whole(-20, 19), "-20 to 19"),
    "group": Kind("group", one_word, "a name of up to 64 characters, without spaces"),
    "job": Kind("job", one_word, "a name of up to 64 characters, without spaces"),
    "focused": Kind("focused", yes, "yes or no"),
}
"""Keyed by the names that users write."""


def parse(name: str, text: str) -> tuple[str, Any]:
    """The field of `Attributes` and its value. ``none`` stands for the default.

    Raises:
        UsageError: there is no such attribute, or the value is out of its range.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise UsageError(f"unknown attribute {name!r}: {choices(name, KINDS)}")
    if text == NONE:
        return kind.field, getattr(Attributes(), kind.field)
    try:
        return kind.field, kind.parse(text)
    except ValueError:
        raise UsageError(f"{name} cannot be {text!r}: allowed is {kind.allowed}") from None


def change(attributes: Attributes, settings: Iterable[str]) -> Attributes:
    """``attributes`` after settings such as ``deadline=20ms`` and ``share=30``.

    Raises:
        UsageError: as `parse`; or a setting has no ``=``.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign:
            raise UsageError(f"{setting!r} has no value: write {setting}=VALUE")
        field, value = parse(name, text)
        changes[field] = value
    return replace(attributes, **changes)


def changes(settings: Iterable[str]) -> dict[str, str | None]:
    """Checks settings such as ``deadline=20ms``; their values by name, as users write them.

    The value of an attribute that is reset to its default is None.

    Raises:
        UsageError: as `change`.
    """
    found: dict[str, str | None] = {}
    for setting in settings:
        stated = show(change(Attributes(), [setting]))
        name, _, text = setting.partition("=")
        found[name] = None if text == NONE else stated.get(name, text)
    return found


def write(text: str, changes: Mapping[str, str | None]) -> str:
    """The attribute text of a task after ``changes``.

    The page keeps the priority in a field of its own, so the text never contains it.

    Raises:
        UsageError: the page has no room for the text.
    """
    words = dict(word.split("=", 1) for word in text.split() if "=" in word)
    for name, value in changes.items():
        if value is None:
            words.pop(name, None)
        else:
            words[name] = value
    words.pop("priority", None)
    settings = [f"{name}={value}" for name, value in words.items()]
    joined = " ".join(settings)
    if (size := len(joined.encode(errors="replace"))) > TEXT_BYTES:
        longest = max(words, key=lambda name: len(words[name].encode(errors="replace")))
        raise UsageError(
            f"the attributes take {size} bytes, and {TEXT_BYTES} fit: shorten {longest}"
        )
    return joined


def show(attributes: Attributes) -> dict[str, str]:
    """The attributes that differ from the defaults, as users write them."""
    shown = {}
    for name, kind in KINDS.items():
        value = getattr(attributes, kind.field)
        if value == getattr(Attributes(), kind.field):
            continue
        if kind.field.endswith("_ns"):
            shown[name] = show_duration(value)
        elif isinstance(value, bool):
            shown[name] = "yes" if value else "no"
        else:
            shown[name] = f"{value:g}" if isinstance(value, float) else str(value)
    return shown
