"""What a check is, and where the list of them comes from: every file in ``checks``."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from giveway.errors import UsageError, choices

if TYPE_CHECKING:
    import torch

    from giveway.verify.seen import Seen

PHASES: Final = ("1", "2", "3", "extra")
BUILTIN: Final = "giveway.verify.checks"


class Skip(Exception):  # noqa: N818
    """Raised by a check that finds out that it cannot apply; its text is the reason."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a check runs. What it makes inside ``with place.device`` is made there."""

    device: torch.device
    seed: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found out beside its numbers, in the process that runs the checks."""

    problem: str | None = None
    """One line; None where all is well."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON values, for the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must work under giveway as it does without."""

    name: str
    phase: str
    title: str
    run: Callable[[Place], object]
    """Returns what is compared: tensors, numbers and text, in any nest of dicts, lists and tuples.
    Runs in a process of its own, twice. torch is imported inside, never at the top of its file."""
    devices: tuple[str, ...] = ("cpu", "cuda", "hip")
    modules: tuple[str, ...] = ()
    """That have to be installed, beside torch."""
    gpu_modules: tuple[str, ...] = ()
    """The same, on GPUs only."""
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """That have to be on PATH, by device; one of them is enough."""
    limit: float = 120.0
    """Seconds after which a process of it counts as hung."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """For the environment of its processes, with and without giveway."""
    expect: Callable[[Seen], str | None] | None = None
    """What giveway has to have seen; returns the problem."""
    also: Callable[[Mapping[str, str], Mapping[str, str]], Finding] | None = None
    """What else is to be looked at, given the environments without and with giveway."""
    launches: bool = True
    """Must have had a launch: a program that ran ungated would prove nothing."""
    alone: bool = False
    """Measures time, so nothing else may run beside it."""

    def inapplicable(self, device: str) -> str | None:
        """Why this check cannot apply here, as far as one can know without running it."""
        if device not in self.devices:
            return f"not on {device}: only on {' and '.join(self.devices)}"
        for module in self.modules + (self.gpu_modules if device != "cpu" else ()):
            if importlib.util.find_spec(module) is None:
                extra = " (pip install 'giveway[torch]')" if module == "torchvision" else ""
                return f"no {module}{extra}"
        programs = self.programs.get(device, ())
        if programs and not any(map(shutil.which, programs)):
            return f"no {' or '.join(programs)} on PATH"
        return None


def builtin() -> list[tuple[str, Check]]:
    """Every check of this version with the module it comes from, by phase."""
    package = importlib.import_module(BUILTIN)
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    found = [pair for name in names for pair in from_source(f"{BUILTIN}.{name}")]
    return sorted(found, key=lambda pair: PHASES.index(pair[1].phase))


def from_source(source: str) -> list[tuple[str, Check]]:
    """The checks in ``CHECKS`` of a module, or of a file whose name ends in ``.py``.

    Raises:
        UsageError: it cannot be imported, it has no checks, or one that cannot be right.
    """
    if not source.endswith(".py"):
        module = importlib.import_module(source)
    else:
        spec = importlib.util.spec_from_file_location(Path(source).stem, source)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise UsageError(f"{source}: {type(error).__name__}: {error}") from error
    checks = list(getattr(module, "CHECKS", ()))
    if not checks:
        raise UsageError(f"{source} has no CHECKS")
    names = [check.name for check in checks]
    for check in checks:
        if not re.fullmatch(r"[\w.-]+", check.name) or names.count(check.name) > 1:
            raise UsageError(
                f"{source}: {check.name!r} is no name, or not the only one of its kind"
            )
        if check.phase not in PHASES:
            raise UsageError(f"{source}: {check.name} is of phase {check.phase!r}, not {PHASES}")
    return [(source, check) for check in checks]


def select(
    checks: list[tuple[str, Check]], phases: tuple[str, ...], names: tuple[str, ...]
) -> list[tuple[str, Check]]:
    """Those of the phases and of the names; of all where there are none.

    Raises:
        UsageError: a name that no check has, or nothing is left.
    """
    known = {check.name for _, check in checks}
    for name in names:
        if name not in known:
            raise UsageError(f"no check {name!r}: {choices(name, known)}")
    found = [
        (source, check)
        for source, check in checks
        if (not phases or check.phase in phases) and (not names or check.name in names)
    ]
    if not found:
        raise UsageError(f"no check of phase {' or '.join(phases)} is called {' or '.join(names)}")
    return found
