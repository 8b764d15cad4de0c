"""What giveway knows about a device it can gate."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from giveway.devices import drivers, elf
from giveway.errors import GivewayError


class Capability(NamedTuple):
    """Whether a closed gate can stop one kind of work on a device."""

    supported: bool
    reason: str
    """What that means here, or why not; one line."""


@dataclass(frozen=True)
class Device:
    """One device, and how ``giveway run`` gets a program's launches on it through the gate."""

    name: str
    """As on the command line and in the name of the device's page."""
    description: str
    hook: Path
    """The library that is preloaded into programs."""
    capabilities: Mapping[str, Capability]
    """By ``launch_gate``, ``stream_gate`` and ``interrupt``."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Variables that programs should have under the hook."""
    unless: tuple[str, ...] = ()
    """The user who has set any of these has decided: no defaults then."""
    pages: tuple[str, ...] = ()
    """The names of its gate pages: one for each GPU."""
    soname: str | None = None
    """The driver library that the hook stands in for; None where it stands beside the program."""
    library: Path | None = None
    """Where that library is; None where it was not found, or the hook needs none."""
    library_is_given: bool = False
    """Whether the user has named it, and the loader might find another one."""

    def __post_init__(self) -> None:
        if not self.pages:
            object.__setattr__(self, "pages", (self.name,))

    @cached_property
    def verdict(self) -> drivers.Verdict | None:
        """Whether the hook can stand in for the driver library; None where there is none to read.

        What is wrong with an installation, or with a library that no program could load either, is
        not for this to say.
        """
        if self.library is None:
            return None
        try:
            return drivers.judge(self.library, os.environ)
        except (OSError, elf.ElfError):
            return None

    @property
    def notice(self) -> str | None:
        """What a user should know who starts a program on this device; one line."""
        verdict = self.verdict
        if verdict is None or verdict.api is None or not verdict.why:
            return None
        then = "nothing is gated"
        if verdict.mode is not None:
            then = "interposing, not impersonating (giveway doctor says what escapes)"
        return f"{verdict.library} {verdict.why[0]}; {then}"

    @property
    def gates(self) -> bool:
        """Whether a program's launches on it can be gated; where not, `notice` says why."""
        verdict = self.verdict
        return verdict is None or verdict.api is None or verdict.hook is not None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` with what gates a program's launches on this device.

        Raises:
            GivewayError: the hook is missing, or lies where it cannot be preloaded from.
        """
        env = dict(base)
        hook, verdict = self.hook, self.verdict
        if verdict is not None and verdict.api is not None:
            if verdict.hook is None:
                return env
            hook = verdict.hook
            if verdict.mode == "interposition" and self.library_is_given:
                _let_the_loader_find(verdict.library, env)
        env["LD_PRELOAD"] = _prepend(hook, env.get("LD_PRELOAD", ""), {self.hook, hook})
        if hook == self.hook and not any(name in env for name in self.unless):
            env.update(self.defaults)
        return env


def _let_the_loader_find(library: Path, env: dict[str, str]) -> None:
    """Who stands beside the driver opens none, so what the user has named is for the loader."""
    others = env.get("LD_LIBRARY_PATH")
    env["LD_LIBRARY_PATH"] = f"{library.absolute().parent}{f':{others}' if others else ''}"


def _prepend(hook: Path, preload: str, ours: Collection[Path]) -> str:
    # The loader splits LD_PRELOAD at both, and there is no way to quote them.
    if any(char in " :" for char in str(hook)):
        raise GivewayError(
            f"cannot preload {hook}: its path has a space or a colon; "
            "install giveway into an environment without one"
        )
    if not hook.is_file():
        raise GivewayError(f"{hook} is missing; reinstall giveway")
    others = [entry for entry in preload.replace(" ", ":").split(":") if entry]
    return ":".join([str(hook), *(entry for entry in others if Path(entry) not in ours)])
