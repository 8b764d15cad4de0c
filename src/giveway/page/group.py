"""The group whose members share the gate pages, as GIVEWAY_SHARED names it.

libgiveway looks names up in ``/etc/group`` only, so giveway's commands replace a name by its
number, for themselves and for the programs that they start.
"""

from __future__ import annotations

import contextlib
import grp
import os
from collections.abc import MutableMapping
from pathlib import Path

from giveway.errors import UsageError

VARIABLE = "GIVEWAY_SHARED"


def resolve(environ: MutableMapping[str, str]) -> None:
    """Replaces the name of the group by its number, in an environment.

    Raises:
        UsageError: there is no such group, or this user is not a member.
    """
    if not (given := environ.get(VARIABLE)):
        return
    if given.isascii() and given.isdecimal():
        group = int(given)
    else:
        try:
            group = grp.getgrnam(given).gr_gid
        except (KeyError, ValueError):
            raise UsageError(
                f"{VARIABLE}={given}: this machine has no such group (getent group lists them)"
            ) from None
    if os.geteuid() != 0 and group not in (os.getegid(), *os.getgroups()):
        raise UsageError(
            f"{VARIABLE}={given}: this user is not a member of that group (after usermod -a -G,"
            " log in again)"
        )
    environ[VARIABLE] = str(group)


def shared() -> int | None:
    """The number of the group; None: the pages belong to one user."""
    given = os.environ.get(VARIABLE)
    return int(given) if given and given.isascii() and given.isdecimal() else None


def open_shared(path: str | Path, flags: int) -> int:
    """Opens a file in the folder of the pages; a new one is for the users who share the folder."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    if shared() is not None:
        with contextlib.suppress(PermissionError):  # another member's file, which has the mode
            os.fchmod(descriptor, 0o660)
    return descriptor
