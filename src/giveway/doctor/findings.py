"""The report of `giveway doctor`."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from giveway.devices.drivers import Mode
from giveway.version import __version__


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem, and its remedy; one line each."""

    what: str
    do: str


@dataclass
class PageReport:
    """The state of one gate page."""

    device: str
    """The name of the page: that of the device, or of one GPU."""
    path: str
    exists: bool = False
    folder_mode: str | None = None
    mode: str | None = None
    tasks: int | None = None
    """The number of live tasks; None: the page cannot be read."""
    free_bytes: int | None = None
    memory: dict[str, int] | None = None
    """``total``, ``used`` and ``reserved`` bytes of the device; None: no program has told yet."""


@dataclass
class DeviceReport:
    """One device, with the hook and the driver that programs get."""

    name: str
    description: str
    capabilities: dict[str, dict[str, Any]]
    hook: str
    driver: str | None = None
    """The driver library behind the hook; None: the device has none, or it was not found."""
    mode: Mode | None = None
    """Whether the hook impersonates the library or interposes."""
    why: tuple[str, ...] = ()
    """The reasons against impersonation."""
    escapes: tuple[str, ...] = ()
    """The calls that reach the driver past the hook."""
    mps: str | None = None
    """The multi-process service that programs get, on one line; None: none runs."""
    pages: list[PageReport] = field(default_factory=list)


@dataclass
class Report:
    """The whole report; ``problems`` is empty if there are none."""

    version: str = __version__
    python: str = sys.version.split()[0]
    library: str = ""
    devices: list[DeviceReport] = field(default_factory=list)
    drivers: list[dict[str, str]] = field(default_factory=list)
    cpu_quota: str | None = None
    """The CPU quota of this shell in words; None: it has none."""
    not_gated: list[dict[str, Any]] = field(default_factory=list)
    """The running programs that giveway cannot gate, each with the reason."""
    problems: list[Problem] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        return {"schema": 1, "ok": not self.problems, **asdict(self)}
