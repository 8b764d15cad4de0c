"""The description of a device that giveway can gate."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from giveway.devices import drivers, elf, preload
from giveway.errors import GivewayError
from giveway.page.library import library_path
from giveway.page.observer import page_names


class Capability(NamedTuple):
    """Whether a closed gate can stop one kind of work on a device."""

    supported: bool
    reason: str
    """How the gate stops the work, or why it cannot; one line."""


class Gpu(NamedTuple):
    """One GPU."""

    page: str
    """``GPU-…``, the name of the GPU's page, as the shim derives it."""
    model: str


@dataclass(frozen=True)
class Device:
    """One device, and the hook with which ``giveway run`` gates launches on it."""

    name: str
    """The name on the command line and of the device's page."""
    hook: Path
    """The library that is preloaded into programs."""
    capabilities: Mapping[str, Capability]
    """Keyed by ``launch_gate``, ``stream_gate``, ``interrupt``, ``memory_limit`` and
    ``parking``."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Environment variables to set for programs under the hook."""
    unless: tuple[str, ...] = ()
    """If the user has set any of these variables, the defaults are not set."""
    model: str = ""
    """The description of a device without GPUs."""
    find_gpus: Callable[[], Sequence[Gpu]] | None = None
    """Reads which GPUs there are, which may take long; None: the device is no GPU."""
    soname: str | None = None
    """The SONAME of the driver library that the hook replaces; None: it replaces no library."""
    library: Path | None = None
    """The path of that library; None: not found, or the hook needs none."""
    library_is_given: bool = False
    """Whether the user named the library, so that the loader might find a different one."""

    @cached_property
    def _gpus(self) -> tuple[Gpu, ...]:
        return tuple(self.find_gpus() if self.find_gpus is not None else ())

    @property
    def description(self) -> str:
        """The device in words, for people."""
        if self.find_gpus is None:
            return self.model
        models = sorted({gpu.model for gpu in self._gpus})
        return f"{len(self._gpus)} × {', '.join(models)}" if models else "GPUs of unknown names"

    @property
    def pages(self) -> tuple[str, ...]:
        """The names of the gate pages: one for each GPU.

        Where a GPU does not tell its name, those of pages that exist.
        """
        if self.find_gpus is None:
            return (self.name,)
        return tuple(gpu.page for gpu in self._gpus) or tuple(page_names(self.name))

    @cached_property
    def verdict(self) -> drivers.Verdict | None:
        """Whether the hook can replace the driver library; None if there is no readable library.

        Other problems of an installation, or of a library that no program could load, are reported
        by `giveway.doctor`.
        """
        if self.library is None:
            return None
        try:
            return drivers.judge(self.library, os.environ)
        except (OSError, elf.ElfError):
            return None

    @property
    def notice(self) -> str | None:
        """A warning for users who start a program on this device, in one line; None: no warning."""
        verdict = self.verdict
        if verdict is None or verdict.api is None or not verdict.why:
            return None
        then = "nothing is gated"
        if verdict.mode is not None:
            then = "interposing, not impersonating (giveway doctor says what escapes)"
        return f"{verdict.library} {verdict.why[0]}; {then}"

    @property
    def gates(self) -> bool:
        """Whether launches on this device can be gated; if not, `notice` has the reason."""
        verdict = self.verdict
        return verdict is None or verdict.api is None or verdict.hook is not None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` with the variables that gate a program's launches on this device.

        Raises:
            GivewayError: the hook is missing, or its path cannot be preloaded.
        """
        env = dict(base)
        hook, verdict = self.hook, self.verdict
        if verdict is not None and verdict.api is not None:
            if verdict.hook is None:
                return env
            hook = verdict.hook
            if verdict.mode == "interposition" and self.library_is_given:
                _add_library_path(verdict.library, env)
        ours = [_preloadable(hook), _preloadable(library_path().with_name(preload.EXEC))]
        env["LD_PRELOAD"] = preload.add(ours, env.get("LD_PRELOAD", ""), self.hook)
        if hook == self.hook and not any(name in env for name in self.unless):
            env.update(self.defaults)
        return env


def _add_library_path(library: Path, env: dict[str, str]) -> None:
    """Makes the loader find the library that the user named: an interposing hook opens none."""
    others = env.get("LD_LIBRARY_PATH")
    env["LD_LIBRARY_PATH"] = f"{library.absolute().parent}{f':{others}' if others else ''}"


def _preloadable(library: Path) -> Path:
    if any(char in " :" for char in str(library)):
        raise GivewayError(
            f"cannot preload {library}: its path has a space or a colon; "
            "install giveway into an environment without one"
        )
    if not library.is_file():
        raise GivewayError(f"{library} is missing; reinstall giveway")
    return library
