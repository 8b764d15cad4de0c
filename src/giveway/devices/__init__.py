"""The devices of this machine. A kind of device has a name in `KINDS` and a module of that name in
this folder with a function ``find() -> list[Device]``; a kind of GPU also has ``hint()``."""

from __future__ import annotations

import importlib
from typing import Final

from giveway.devices.base import Capability, Device
from giveway.errors import UsageError

__all__ = ["KINDS", "Capability", "Device", "choose", "default", "find", "get", "missed"]

KINDS: Final = ("cuda", "hip", "cpu")
"""All kinds of devices, whether this machine has one or not; the preferred ones first."""


def find() -> list[Device]:
    """Every device of this machine that this version of giveway can gate."""
    return [device for kind in sorted(KINDS) for device in _find(kind)]


def choose(name: str | None = None) -> Device:
    """The device of that name; without a name, the default of ``giveway run``.

    The default is a GPU if this machine has one. Only what the answer needs is looked at.

    Raises:
        UsageError: this machine has no such device.
    """
    kinds = KINDS if name is None else (name,)
    for kind in kinds:
        if kind in KINDS and (found := _find(kind)):
            return found[0]
    known = ", ".join(device.name for device in find())
    raise UsageError(f"unknown device {name!r}: this machine has {known} (see giveway doctor)")


def get(name: str) -> Device:
    """The device of that name; raises as `choose` does."""
    return choose(name)


def default() -> str:
    """The name of the default device."""
    return choose().name


def missed() -> str | None:
    """What looks as if this machine had a GPU, in a phrase, where the default is ``cpu``."""
    for kind in KINDS:
        if kind != "cpu" and (found := importlib.import_module(f"{__name__}.{kind}").hint()):
            return str(found)
    return None


def _find(kind: str) -> list[Device]:
    found: list[Device] = importlib.import_module(f"{__name__}.{kind}").find()
    return found
