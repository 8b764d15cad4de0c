"""What giveway knows about a device it can gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

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
    """Variables that help held programs stay out of the way."""
    unless: tuple[str, ...] = ()
    """The user who has set any of these has decided: no defaults then."""
    pages: tuple[str, ...] = ()
    """The names of its gate pages: one for each GPU."""
    soname: str | None = None
    """The driver library that the hook stands in for; None where it stands beside the program."""

    def __post_init__(self) -> None:
        if not self.pages:
            object.__setattr__(self, "pages", (self.name,))

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` with what gates a program's launches on this device.

        Raises:
            GivewayError: the hook is missing, or lies where it cannot be preloaded from.
        """
        env = dict(base)
        env["LD_PRELOAD"] = _prepend(self.hook, env.get("LD_PRELOAD", ""))
        if not any(name in env for name in self.unless):
            env.update(self.defaults)
        return env


def _prepend(hook: Path, preload: str) -> str:
    # The loader splits LD_PRELOAD at both, and there is no way to quote them.
    if any(char in " :" for char in str(hook)):
        raise GivewayError(
            f"cannot preload {hook}: its path has a space or a colon; "
            "install giveway into an environment without one"
        )
    if not hook.is_file():
        raise GivewayError(f"{hook} is missing; reinstall giveway")
    others = [entry for entry in preload.replace(" ", ":").split(":") if entry]
    return ":".join([str(hook), *(entry for entry in others if entry != str(hook))])
