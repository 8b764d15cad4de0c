"""Errors a user can cause: one line each, with the exit code the command line gives them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GivewayError(Exception):
    """Something went wrong that the user can act on; its text is one line."""

    exit_code = 1


class UsageError(GivewayError):
    """An argument that cannot be right, whatever the state of the machine."""

    exit_code = 2


class PageError(GivewayError):
    """The gate page of a device cannot be used."""

    exit_code = 3

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code
        """The ``gw_error`` of the C library, 0 where it did not come from there."""


class NoSuchTaskError(GivewayError):
    """No task with that pid (any more)."""

    exit_code = 4


class MissingExtraError(GivewayError):
    """A command needs packages that giveway itself does not."""

    exit_code = 5


class ProgramError(GivewayError):
    """A program that giveway started and measures has died or does not answer."""

    exit_code = 6


class DaemonError(GivewayError):
    """No daemon runs, or it does not answer; or one runs already."""

    exit_code = 7


class ClusterError(GivewayError):
    """There is no Ray cluster, or it does not answer or do what was asked."""

    exit_code = 8


def choices(word: str, known: Iterable[str]) -> str:
    """What to say behind an unknown word: the nearest right one, or all that there are."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
