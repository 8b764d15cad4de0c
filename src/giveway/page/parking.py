"""How far a request to park a task has come, and why one was refused."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Stage(IntEnum):
    """``enum gw_parked``."""

    NOT_PARKED = 0
    DRAINS = 1
    """No work is admitted, and the device finishes what it has."""
    SAVES = 2
    """Device memory moves to host memory."""
    PARKED = 3
    RESTORES = 4
    """Device memory comes back."""


class Refusal(IntEnum):
    """``enum gw_park_error``."""

    NONE = 0
    BUSY = 1
    FORBIDDEN = 2
    UNSUPPORTED = 3
    MANAGED = 4
    SHARED = 5
    JOB = 6
    NO_HOST_MEMORY = 7
    NO_ROOM = 8
    WITHDRAWN = 9
    DRIVER = 10
    ROOM_UNKNOWN = 11


class Parking(NamedTuple):
    """The parking of one task."""

    can_park: bool
    """Whether the task's process takes requests to park."""
    stage: Stage
    refusal: Refusal
    """Why the last request was refused; NONE: it was not."""
    number: int
    """The driver's error of the refusal."""
    room: int
    """With NO_HOST_MEMORY and NO_ROOM: the bytes that there were."""
    memory: int
    """What the task has on the device, or in host memory while it is parked, in bytes."""
