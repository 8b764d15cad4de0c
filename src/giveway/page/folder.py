"""The folder of the gate pages: the users who share it, and giveway's own files in it.

GIVEWAY_SHARED names a group whose members share. libgiveway looks names up in ``/etc/group`` only,
so giveway's commands replace a name by its number, for themselves and for the programs that they
start.
"""

from __future__ import annotations

import contextlib
import grp
import os
import stat
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from giveway.errors import PageError, UsageError

VARIABLE: Final = "GIVEWAY_SHARED"
NO_GROUP: Final = 2**32 - 1
"""The number that the kernel takes for no group."""


def resolve(environ: MutableMapping[str, str]) -> None:
    """Replaces the name of the group by its number, in an environment.

    Raises:
        UsageError: there is no such group, or this user is not a member.
    """
    if not (given := environ.get(VARIABLE)):
        return
    group = _number(given)
    if group is None:
        raise UsageError(
            f"{VARIABLE}={given}: this machine has no such group (getent group lists them)"
        )
    if os.geteuid() != 0 and group not in (os.getegid(), *os.getgroups()):
        raise UsageError(
            f"{VARIABLE}={given}: this user is not a member of that group (after usermod -a -G,"
            " log in again)"
        )
    environ[VARIABLE] = str(group)


def _number(given: str) -> int | None:
    if given.isascii() and given.isdecimal():
        return int(given) if int(given) < NO_GROUP else None
    try:
        return grp.getgrnam(given).gr_gid
    except (KeyError, ValueError):
        return None


def shared() -> int | None:
    """The number of the group; None: the pages belong to one user."""
    given = os.environ.get(VARIABLE)
    return int(given) if given and given.isascii() and given.isdecimal() else None


def make(folder: Path) -> None:
    """Makes the folder of the gate pages with the permissions that libgiveway requires."""
    of = shared()
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700)
            if of is not None:
                os.chown(folder, -1, of)
                folder.chmod(0o2770)
        found = folder.lstat()
    except OSError as error:
        raise PageError(f"{folder} cannot be made: {error.strerror}") from None
    if of is not None and (found.st_mode, found.st_gid) != (stat.S_IFDIR | 0o2770, of):
        raise PageError(f"{folder} is not a directory of mode 2770 and of group {of}")
    if of is None and (
        not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022
    ):
        raise PageError(f"{folder} is not a directory that only this user can write to")


def open_shared(path: str | Path, flags: int) -> int:
    """Opens a file in the folder of the pages; a new one is for the users who share the folder."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    if shared() is not None:
        with contextlib.suppress(PermissionError):  # another member's file, which has the mode
            os.fchmod(descriptor, 0o660)
    return descriptor
