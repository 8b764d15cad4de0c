"""Amounts of device memory as users write them: ``40GiB``, or ``50%`` of each GPU."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from giveway.errors import UsageError, choices

_UNITS: Final = {
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?) ?(%|[A-Za-z]*)")


class Amount(NamedTuple):
    """A number of bytes, or a part of each GPU; exactly one is set."""

    size: int | None
    percent: float | None

    def of(self, total: int) -> int:
        """The bytes, on a GPU of that size."""
        if self.size is not None:
            return self.size
        return int(total * (self.percent or 0) / 100)

    def setting(self) -> str:
        """The value of ``GIVEWAY_MEMORY`` and ``GIVEWAY_RESERVE``."""
        return f"{self.percent:g}%" if self.size is None else str(self.size)


def parse(text: str, option: str) -> Amount:
    """Converts an amount that a user has written.

    Raises:
        UsageError: the text is no amount above 0, or more than 100 percent.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{option}: {text!r} is not an amount of memory: write 40GiB or 50%")
    number, unit = found.groups()
    if unit == "%":
        if not 0 < float(number) <= 100:
            raise UsageError(f"{option}: {text} is not more than 0 and at most 100%")
        return Amount(None, float(number))
    factor = next((_UNITS[name] for name in _UNITS if name.lower() == unit.lower()), None)
    if factor is None:
        what = f"unknown unit {unit!r} in {text!r}" if unit else f"{text!r} has no unit"
        names = {*_UNITS, "%"}
        near = {name for name in names if name[0] == unit[:1].upper()}  # no TiB for a KiB
        raise UsageError(f"{option}: {what}: {choices(unit if near else '', names)}")
    size = round(float(number) * factor)
    if not 0 < size < 1 << 60:
        raise UsageError(f"{option}: {text} is not more than 0 and less than a million TiB")
    return Amount(size, None)


def show(size: int) -> str:
    """An amount for people: ``512 MiB``, ``39.5 GiB``."""
    if size < 1 << 30:
        return f"{size / (1 << 20):.0f} MiB"
    return f"{size / (1 << 30):.1f} GiB"
