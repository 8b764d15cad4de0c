"""Errors that a user can cause: each has a one-line text and an exit code of the command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GivewayError(Exception):
    """An error that the user can act on; its text is one line."""

    exit_code = 1


class UsageError(GivewayError):
    """An argument that is invalid, whatever the state of the machine."""

    exit_code = 2


class PageError(GivewayError):
    """The gate page of a device cannot be used."""

    exit_code = 3

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code
        """The ``gw_error`` of the C library; 0 for an error from elsewhere."""


class NoSuchTaskError(GivewayError):
    """No task with that pid exists, or it has ended."""

    exit_code = 4


class MissingExtraError(GivewayError):
    """A command needs an optional package that is not installed."""

    exit_code = 5


class ProgramError(GivewayError):
    """A program that giveway started and measures has died or does not answer."""

    exit_code = 6


class DaemonError(GivewayError):
    """No daemon runs, the daemon does not answer, or another daemon already runs."""

    exit_code = 7


class ClusterError(GivewayError):
    """No Ray cluster runs, or it does not answer or does not carry out a request."""

    exit_code = 8


class NotMeasuredError(GivewayError):
    """Other programs take part in the measurement, or nothing that was measured counts."""

    exit_code = 9


class ParkError(GivewayError):
    """A program cannot be parked or brought back, or was not; the program goes on as before."""

    exit_code = 10


def choices(word: str, known: Iterable[str]) -> str:
    """The hint after an unknown word: the closest known word, or all known words."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
