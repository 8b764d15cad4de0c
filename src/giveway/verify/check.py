"""Defines checks and collects them from the files in ``checks``."""

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
    """Raised by a check that does not apply to this machine; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Place:
    """The device and the seed of a check. Tensors made within ``with place.device`` are on it."""

    device: torch.device
    seed: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of ``Check.also``, which runs in the process that runs the checks."""

    problem: str | None = None
    """The problem in one line; None without one."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON values for the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One behaviour that must be the same under giveway as without it."""

    name: str
    phase: str
    title: str
    run: Callable[[Place], object]
    """Returns the outputs to compare: tensors, numbers and text, nested in dicts, lists and tuples.
    It runs twice, each time in a new process. It imports torch inside, never at the top of its
    file."""
    devices: tuple[str, ...] = ("cpu", "cuda", "hip")
    modules: tuple[str, ...] = ()
    """Modules that the check needs, besides torch."""
    gpu_modules: tuple[str, ...] = ()
    """Modules that the check needs on GPUs only."""
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Programs that the check needs on PATH, by device; one of them is enough."""
    limit: float = 120.0
    """Seconds after which a process of the check counts as hung."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of its processes, with and without giveway."""
    expect: Callable[[Seen], str | None] | None = None
    """Examines the counts of giveway; returns the problem, or None."""
    also: Callable[[Mapping[str, str], Mapping[str, str]], Finding] | None = None
    """A further test, called with the environments without and with giveway."""
    launches: bool = True
    """Whether giveway must have counted a launch: an ungated program would prove nothing."""
    alone: bool = False
    """Whether the check measures time, so that no other check may run at the same time."""

    def inapplicable(self, device: str) -> str | None:
        """The reason why the check does not apply here, as far as known before it runs, or None."""
        if device not in self.devices:
            return f"not on {device}, only on {' and '.join(self.devices)}"
        for module in self.modules + (self.gpu_modules if device != "cpu" else ()):
            if importlib.util.find_spec(module) is None:
                extra = " (pip install 'giveway[torch]')" if module == "torchvision" else ""
                return f"no {module}{extra}"
        programs = self.programs.get(device, ())
        if programs and not any(map(shutil.which, programs)):
            return f"no {' or '.join(programs)} on PATH"
        return None


def builtin() -> list[tuple[str, Check]]:
    """All built-in checks with the names of their modules, by phase."""
    package = importlib.import_module(BUILTIN)
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    found = [pair for name in names for pair in from_source(f"{BUILTIN}.{name}")]
    return sorted(found, key=lambda pair: PHASES.index(pair[1].phase))


def from_source(source: str) -> list[tuple[str, Check]]:
    """Reads the checks from ``CHECKS`` of a module, or of a file whose name ends in ``.py``.

    Raises:
        UsageError: the file cannot be imported, has no checks, or has an invalid check.
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
            raise UsageError(f"{source}: {check.name!r} is not a valid name, or two checks have it")
        if check.phase not in PHASES:
            raise UsageError(
                f"{source}: {check.name} has phase {check.phase!r}, not one of {PHASES}"
            )
    return [(source, check) for check in checks]


def select(
    checks: list[tuple[str, Check]], phases: tuple[str, ...], names: tuple[str, ...]
) -> list[tuple[str, Check]]:
    """Selects checks by phase and by name; an empty tuple selects all.

    Raises:
        UsageError: no check has a given name, or no check is left.
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
        raise UsageError(
            f"no check of phase {' or '.join(phases)} has the name {' or '.join(names)}"
        )
    return found
