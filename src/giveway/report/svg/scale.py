"""Axes: map values to positions from 0 to 1, and choose the ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    """The position, 0 to 1."""
    label: str
    minor: bool = False
    """Whether the tick is left out on a narrow screen."""


class Scale(Protocol):
    """An axis."""

    def at(self, value: float) -> float:
        """The position of a value; 0 to 1 for values within the axis."""

    def ticks(self) -> list[Tick]:
        """The ticks, ascending."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear axis from ``low`` to ``high``."""

    low: float
    high: float
    unit: str = ""

    def at(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[Tick]:
        """About five ticks at round numbers; odd multiples of the step are minor."""
        rough = (self.high - self.low) / 5
        power = 10 ** math.floor(math.log10(rough))
        step = power * next(each for each in (1, 2, 5, 10) if each * power >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [
            Tick(self.at(number * step), f"{number * step:g}{self.unit}", minor=number % 2 == 1)
            for number in range(first, last + 1)
        ]


@dataclass(frozen=True, slots=True)
class Log:
    """A logarithmic axis from ``low`` to ``high``, both above zero. Values of zero are at its left
    end: the lower edge of a wide interval may be rounded to zero."""

    low: float
    high: float
    unit: str = ""

    @classmethod
    def around(cls, values: Sequence[float], unit: str = "", margin: float = 0.04) -> Log:
        """An axis that contains all values above zero, with room at both ends and at least a factor
        of 3."""
        above = [value for value in values if value > 0] or [1.0]
        low, high = min(above), max(above)
        if high < low * 3:
            middle = math.sqrt(low * high)
            low, high = middle / math.sqrt(3), middle * math.sqrt(3)
        room = (high / low) ** margin
        return cls(low / room, high * room, unit)

    def at(self, value: float) -> float:
        if value <= 0:
            return 0.0
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self) -> list[Tick]:
        """Ticks at 1, 2 and 5 in each decade; on a short axis more, so that there are at least two.

        On an axis that contains two powers of ten, only these are major.
        """
        first = math.floor(math.log10(self.low))
        last = math.floor(math.log10(self.high)) + 1
        decades = math.floor(math.log10(self.high)) - math.ceil(math.log10(self.low)) + 1
        digits: tuple[float, ...]
        digits = (1, 2, 5) if last - first <= 3 else (1, 3) if last - first <= 5 else (1,)
        if self.high < 6 * self.low:
            digits = (1, 1.5, 2, 3, 4, 5, 7)
        values = [
            (digit * 10.0**power, digit != 1 and decades >= 2)
            for power in range(first, last + 1)
            for digit in digits
        ]
        return [
            Tick(self.at(value), f"{value:g}{self.unit}", minor)
            for value, minor in values
            if self.low <= value <= self.high
        ]


@dataclass(frozen=True, slots=True)
class Nines:
    """An axis of shares that stretches the tail: 90, 99 and 99.9 % are equally far apart.

    The axis ends at the share of all of ``requests`` but one.
    """

    requests: int

    def at(self, value: float) -> float:
        top = math.log10(max(self.requests, 10))
        return min(1.0, -math.log10(max(1 - value, 1e-12)) / top)

    def ticks(self) -> list[Tick]:
        shares = [0.0, 0.5] + [1 - 10.0**-nines for nines in range(1, 7)]
        return [
            Tick(self.at(share), f"{100 * share:g}%")
            for share in shares
            if share <= 1 - 1 / max(self.requests, 10) + 1e-9
        ]
