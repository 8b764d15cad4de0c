"""Ray, where it is installed, and a connection to a cluster."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any, Final

from giveway.errors import ClusterError, MissingExtraError

_SECONDS: Final = 3.0
"""What a head node has to accept a connection."""


def load(module: str = "ray") -> Any:
    """Ray, or a module of it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"Ray is not installed here ({error}): pip install 'giveway[ray]'"
        ) from error


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Ray, connected to a cluster while the block runs. Nothing gets to ``sys.stdout`` meanwhile.

    Args:
        address: as for ``ray.init``; None: ``RAY_ADDRESS``, or the cluster of this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster, it does not answer, or it refuses.
    """
    ray = load()
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    try:
        if where == "auto":
            where = _running_here()
        knock(where)
        with warnings.catch_warnings(action="ignore"):
            ray.init(where, namespace="giveway", log_to_driver=False, logging_level=logging.FATAL)
    except failures() as error:
        what = f"no Ray cluster at {where}: {first_sentence(str(error))}"
        raise ClusterError(
            what if address else f"{what}; say an address, or set RAY_ADDRESS"
        ) from error
    # It prints what happens to the cluster, from a thread of its own, whoever is at work.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            yield ray
        finally:
            ray.shutdown()


def _running_here() -> str:
    """The address behind ``auto``. Ray has no public function for it; without this one, it is Ray
    that waits for a cluster that has ended."""
    try:
        from ray._private.services import canonicalize_bootstrap_address_or_die
    except ImportError:
        return "auto"
    return str(canonicalize_bootstrap_address_or_die("auto"))


def failures() -> tuple[type[Exception], ...]:
    """What Ray raises about a cluster that is not there, refuses, or goes away: RuntimeError for
    most of it, and it lets others through."""
    return (OSError, RuntimeError, ValueError, AssertionError, load("ray.exceptions").RayError)


def head_of(ray: Any) -> str:
    """Where the head of the cluster listens that Ray is connected to; empty: it does not say."""
    try:
        return str(ray.get_runtime_context().gcs_address)
    except Exception:  # as by Ray Client, whose connection is another one
        return ""


def knock(where: str) -> None:
    """Ray would try for two minutes, with lines of its own, where nobody listens.

    Raises:
        ConnectionError: nobody does.
    """
    host, _, port = where.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # Ray says what is wrong with it
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
    except OSError as error:
        raise ConnectionError(error.strerror or str(error)) from error


def first_sentence(text: str | None) -> str:
    """Of what Ray says, which goes on with advice about its own options."""
    lines = (text or "").strip().splitlines() or ["Ray does not say why"]
    line = lines[-1] if "Traceback (most recent call last)" in lines[0] else lines[0]
    return line.partition(". ")[0].removesuffix(".")
