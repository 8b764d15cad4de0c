"""A scenario: the programs that share a device, the arrivals of their work, and the bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from giveway.scenarios.modes import MODES
from giveway.scenarios.traces import Arrival

ArrivalProcess = Literal["fixed", "poisson", "trace", "saturating"]
ARRIVALS: Final = ("fixed", "poisson", "trace", "saturating")
TASKS: Final = ("infer", "train")

TIMES: Final = ("service", "ttft", "tpot")
"""The parts of a request's latency: the work on it without its wait, the time to its first token,
and the mean time from one output token to the next."""
FIGURES: Final = (
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "p999_ms",
    "max_ms",
    "p50_ratio",
    "p90_ratio",
    "p99_ratio",
    "share_of_alone",
    "worst_share_of_alone",
    "kept_of_native",
    *(
        f"{time}_{point}_{unit}"
        for time in TIMES
        for point in ("p50", "p90", "p99")
        for unit in ("ms", "ratio")
    ),
    "tokens_per_s",
    "slo_share",
)
"""The figures that a bar can limit; docs/reference/scenario.md defines them."""

PORT: Final = "{port}"
"""Stands for the port of a server where the scenario leaves the choice to the bench."""

Size = Mapping[str, int]
"""The size parameters of a model: ``batch``, ``image``, ``layers``, …"""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When a program's requests are due."""

    process: ArrivalProcess
    rate: float | None = None
    """Requests per second; None: derived from ``busy``."""
    busy: float | None = None
    """The largest share of the time that the program may be busy when alone, 0 to 1."""
    trace: tuple[Arrival, ...] = ()
    """The requests of a trace, ascending; the trace repeats."""

    @property
    def open_loop(self) -> bool:
        """Whether the times of requests are independent of the answers (open loop)."""
        return self.process != "saturating"

    @property
    def moments(self) -> tuple[float, ...]:
        """The times of the requests of the trace, in seconds."""
        return tuple(each.at for each in self.trace)


@dataclass(frozen=True, slots=True)
class Tokens:
    """How long the prompts and the answers of a language model are, in tokens."""

    prompt: tuple[int, int]
    """The least and the most; a request has a random length between them."""
    output: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Server:
    """An OpenAI-compatible server, to which the bench sends the requests."""

    url: str
    """Of the endpoint: it ends in ``/completions``, and may have `PORT` for its port."""
    prompt: Literal["text", "tokens"] = "text"
    """Whether a prompt is sent as words or as the numbers of tokens."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the body of each request."""

    @property
    def own_port(self) -> bool:
        """Whether each way of starting the server has a port, and so a server, of its own."""
        return PORT in self.url


@dataclass(frozen=True, slots=True)
class Program:
    """One of the programs: a model of the catalog, or any command."""

    name: str
    arrivals: Arrivals
    priority: int = 0
    model: str | None = None
    task: Literal["infer", "train"] = "infer"
    sizes: tuple[Size, ...] = ()
    """Tried one after another until a segment holds enough requests."""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set in every mode."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """Further ``GIVEWAY_…`` variables, set only in the mode ``giveway``."""
    quota: float | None = None
    """The most CPU time per time, in cores, as a container's limit; None: no limit."""
    tokens: Tokens | None = None
    """The lengths of requests to a language model; None: the program is none."""
    server: Server | None = None
    """Where the command answers requests; None: the command makes its own load."""
    slo: Mapping[str, float] = field(default_factory=dict)
    """The objective of a request: the most milliseconds of ``ttft``, ``tpot`` and ``e2e``."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A condition that must hold in one mode."""

    figure: str
    program: str = ""
    order: tuple[str, ...] = ()
    """Instead of a program: the figure must not decrease from each program to the next."""
    at_most: float | None = None
    at_least: float | None = None
    mode: str = "giveway"

    def text(self) -> str:
        """The bar as a short text."""
        if self.order:
            return f"{self.figure} of {' ≤ '.join(self.order)}"
        limit = f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"
        return f"{self.figure} of {self.program} {limit}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """The contents of a scenario file, for one kind of device."""

    name: str
    title: str
    programs: tuple[Program, ...]
    bars: tuple[Bar, ...] = ()
    together: bool = True
    """False: the programs never run at the same time, to measure the overhead of giveway."""
    modes: tuple[str, ...] = MODES
    start_timeout: float = 180.0
    """Seconds that a program may take to start or to build its model."""
    answer_timeout: float = 120.0
    """Seconds after the end of a segment for a program to finish its last request."""
    family: str = ""
    """The name of the file, if it describes several scenarios, or one at several loads."""
    load: float | None = None
    """The rate of the urgent program, as a share of its measured capacity; None: its own rate."""

    @property
    def urgent(self) -> Program:
        """The most urgent program, by priority."""
        return max(self.programs, key=lambda each: each.priority)

    def groups(self) -> list[tuple[Program, ...]]:
        """The programs that run at the same time, group by group."""
        return [self.programs] if self.together else [(each,) for each in self.programs]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
