"""Import of Ray, and a connection to a cluster."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from giveway.errors import ClusterError, MissingExtraError

_T = TypeVar("_T")

_SECONDS: Final = 3.0
"""Time that a head node has to accept a connection."""
_ANSWER_SECONDS: Final = 10.0
"""Time that a head node has to answer a request."""
_LOOK_SECONDS: Final = 1.0
"""Time between two looks whether a head node that has not answered yet is still there."""
_LEAVE_SECONDS: Final = 5.0
"""Time that Ray has to end a connection."""
_THREAD: Final = "giveway-ray"


def load(module: str = "ray") -> Any:
    """Imports Ray, or a module of Ray.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"Ray is not installed here ({error}): pip install 'giveway[ray]'"
        ) from error


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connects Ray to a cluster for the block. Discards output to ``sys.stdout`` meanwhile.

    Args:
        address: as for ``ray.init``; None: ``RAY_ADDRESS``, or the cluster of this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster, or the cluster does not answer or refuses.
    """
    ray = load()
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    try:
        if where == "auto":
            where = _running_here()
        check_port(where)
        with warnings.catch_warnings(action="ignore"):
            ray.init(where, namespace="giveway", log_to_driver=False, logging_level=logging.FATAL)
    except failures() as error:
        what = f"no Ray cluster at {where}: {first_sentence(str(error))}"
        raise ClusterError(
            what if address else f"{what}; name an address, or set RAY_ADDRESS"
        ) from error
    # A thread of Ray prints events of the cluster to sys.stdout at any time.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            yield ray
        finally:
            # A head that is gone could make Ray wait for it.
            _start(ray.shutdown).join(_LEAVE_SECONDS)


def is_stuck() -> bool:
    """Whether a call to Ray has not returned. The end of the process would wait for it."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def _running_here() -> str:
    """The address behind ``auto``. Ray has no public function for this. If the private one is
    missing, Ray may wait for a cluster that has ended."""
    try:
        from ray._private.services import canonicalize_bootstrap_address_or_die
    except ImportError:
        return "auto"
    return str(canonicalize_bootstrap_address_or_die("auto"))


def failures() -> tuple[type[Exception], ...]:
    """The exceptions of Ray for a cluster that is missing, refuses, or goes away. Most are
    RuntimeError; Ray also lets those of other libraries through."""
    return (OSError, RuntimeError, ValueError, AssertionError, load("ray.exceptions").RayError)


def head_of(ray: Any) -> str:
    """The address of the connected cluster's head; empty if Ray does not know the address."""
    try:
        return str(ray.get_runtime_context().gcs_address)
    except Exception:  # as under Ray Client, which connects in another way
        return ""


def check_port(where: str) -> None:
    """Checks that an address accepts connections. Ray itself would try for two minutes.

    Raises:
        ConnectionError: the address does not accept one.
    """
    host, _, port = where.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # Ray reports what is wrong with the address
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
    except OSError as error:
        raise ConnectionError(error.strerror or str(error)) from error


def while_reachable(head: str, call: Callable[[], _T]) -> _T:
    """Calls a function of Ray that asks the head node. Returns what the function returns.

    Ray waits for a head that is gone, or stands still, and ends this process after a minute. So the
    call is made on a thread of its own, which is abandoned when the head does not answer.

    Raises:
        ConnectionError: the head does not accept connections, or does not answer in time.
    """
    check_port(head)
    answer: Future[_T] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    thread = _start(ask)
    for _ in range(round(_ANSWER_SECONDS / _LOOK_SECONDS)):
        thread.join(_LOOK_SECONDS)
        if not thread.is_alive():
            return answer.result()
        check_port(head)
    raise ConnectionError(f"its head has not answered for {_ANSWER_SECONDS:.0f} s")


def _start(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True, name=_THREAD)
    thread.start()
    return thread


def first_sentence(text: str | None) -> str:
    """The first sentence of Ray's message. Advice about Ray's own options follows it."""
    lines = (text or "").strip().splitlines() or ["Ray gives no reason"]
    line = lines[-1] if "Traceback (most recent call last)" in lines[0] else lines[0]
    return line.partition(". ")[0].removesuffix(".")
