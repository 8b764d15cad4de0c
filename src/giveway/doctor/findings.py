"""What `giveway doctor` reports."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from giveway.devices.drivers import Mode
from giveway.version import __version__


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, and what to do about it; a line each."""

    what: str
    do: str


@dataclass
class PageReport:
    """The state of one gate page."""

    device: str
    """The page's name: the device's, or that of one GPU."""
    path: str
    exists: bool = False
    folder_mode: str | None = None
    mode: str | None = None
    tasks: int | None = None
    """Live tasks; None where the page cannot be read."""
    free_bytes: int | None = None


@dataclass
class DeviceReport:
    """One device, and what programs on it will find."""

    name: str
    description: str
    capabilities: dict[str, dict[str, Any]]
    hook: str
    driver: str | None = None
    """The driver library behind the hook; None where there is none, or it was not found."""
    mode: Mode | None = None
    """Whether the hook stands in for it or beside it."""
    why: tuple[str, ...] = ()
    """Why not in its place."""
    escapes: tuple[str, ...] = ()
    """What reaches the driver past the hook."""
    pages: list[PageReport] = field(default_factory=list)


@dataclass
class Report:
    """Everything; ``problems`` is empty where all is well."""

    version: str = __version__
    python: str = sys.version.split()[0]
    library: str = ""
    devices: list[DeviceReport] = field(default_factory=list)
    drivers: list[dict[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        return {"schema": 1, "ok": not self.problems, **asdict(self)}
