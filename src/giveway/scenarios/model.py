"""A scenario: which programs share the device, how their work arrives, and what must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

ArrivalProcess = Literal["fixed", "poisson", "trace", "saturating"]
ARRIVALS: Final = ("fixed", "poisson", "trace", "saturating")
TASKS: Final = ("infer", "train")
MODES: Final = ("alone", "native", "giveway", "streams", "mps", "nice")
"""In the order in which they are measured and shown."""

FIGURES: Final = (
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "p999_ms",
    "max_ms",
    "p50_ratio",
    "p99_ratio",
    "share_of_alone",
    "worst_share_of_alone",
    "share_of_left",
)
"""What a bar can be about; docs/reference/scenario.md says what each is."""

Size = Mapping[str, int]
"""What a model is built with: ``batch``, ``image``, ``layers``, …"""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When a program's requests are due."""

    process: ArrivalProcess
    rate: float | None = None
    """Requests per second; None: as many as ``busy`` makes them."""
    busy: float | None = None
    """The largest share of the time that the program may be at work when alone, 0 to 1."""
    trace: tuple[float, ...] = ()
    """Seconds from the start of a trace, ascending, of each request; it is repeated."""

    @property
    def open_loop(self) -> bool:
        """Whether requests are due at moments that do not depend on the answers."""
        return self.process != "saturating"


@dataclass(frozen=True, slots=True)
class Program:
    """One of the programs: a model of ours, or any command."""

    name: str
    arrivals: Arrivals
    priority: int = 0
    model: str | None = None
    task: Literal["infer", "train"] = "infer"
    sizes: tuple[Size, ...] = ()
    """Tried in turn; the first with which a segment holds enough requests is taken."""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set in every mode."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """Further ``GIVEWAY_…`` variables, set in the mode ``giveway`` only."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that must hold in one mode."""

    figure: str
    program: str = ""
    order: tuple[str, ...] = ()
    """Instead of a program: of these, each has a figure no greater than that of the next."""
    at_most: float | None = None
    at_least: float | None = None
    mode: str = "giveway"

    def text(self) -> str:
        """The bar as a person would say it."""
        if self.order:
            return f"{self.figure} of {' ≤ '.join(self.order)}"
        limit = f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"
        return f"{self.figure} of {self.program} {limit}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a scenario file says, for one kind of device."""

    name: str
    title: str
    programs: tuple[Program, ...]
    bars: tuple[Bar, ...] = ()
    together: bool = True
    """False: the programs never run at the same time; what giveway itself costs is measured."""
    modes: tuple[str, ...] = MODES
    start_timeout: float = 180.0
    """Seconds for a program to start or to build its model."""
    answer_timeout: float = 120.0
    """Seconds past the end of a segment for a program to finish what it has begun."""

    def groups(self) -> list[tuple[Program, ...]]:
        """The programs that run at the same time, group by group."""
        return [self.programs] if self.together else [(each,) for each in self.programs]

    def above(self, program: Program) -> list[Program]:
        """The programs that are more urgent than this one and run beside it."""
        if not self.together:
            return []
        return [each for each in self.programs if each.priority > program.priority]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
