"""What sharing costs the urgent program: the times by which pictures and tables show the price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from giveway.results.verdict import Scenario, urgent_and_other


@dataclass(frozen=True, slots=True)
class Time:
    """One percentile of one kind of time of the urgent program."""

    title: str
    key: str
    """The name of the figure without its unit."""

    @property
    def ms(self) -> str:
        """The figure in milliseconds."""
        return f"{self.key}_ms"

    @property
    def ratio(self) -> str:
        """The figure relative to the program alone."""
        return f"{self.key}_ratio"


_REQUESTS: Final = (Time("p50", "p50"), Time("p99", "p99"))
_TOKENS: Final = (Time("TTFT p99", "ttft_p99"), Time("TPOT p99", "tpot_p99"))


def times(*scenarios: Scenario) -> tuple[Time, ...]:
    """The times of the urgent program of scenarios that are shown together.

    If one of them serves a language model, they are those of its tokens. The last time is the price
    in a picture that has only one.
    """
    return _TOKENS if any(map(_has_tokens, scenarios)) else _REQUESTS


def time(*scenarios: Scenario) -> Time:
    """The one time that is the price."""
    return times(*scenarios)[-1]


def _has_tokens(scenario: Scenario) -> bool:
    if not scenario.get("programs"):
        return False
    urgent, _ = urgent_and_other(scenario)
    figures = (programs.get(urgent) for programs in scenario["modes"].values())
    return any(each is not None and each["tpot_p99_ms"] is not None for each in figures)
