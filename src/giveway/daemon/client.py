"""A client of the daemon."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from giveway import page
from giveway.errors import DaemonError, GivewayError, NoSuchTaskError, UsageError

SOCKET_NAME: Final = "daemon.sock"
_ERRORS: Final = {error.exit_code: error for error in (UsageError, NoSuchTaskError)}


def folder() -> Path:
    """The folder of the daemon's socket: that of the gate pages."""
    return page.page_path("any").parent


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A path of a socket that fits into a socket address, however long the folder's path is."""
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


class Client:
    """A connection to the daemon.

    Raises:
        DaemonError: no daemon runs, or it does not answer within ``timeout`` (seconds).
    """

    def __init__(self, timeout: float = 5.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(timeout)
        try:
            self._connect(time.monotonic() + timeout)
            if user_of(self._socket) != os.geteuid():
                raise DaemonError(f"{folder() / SOCKET_NAME} belongs to another user")
        except (OSError, DaemonError) as error:
            self._socket.close()
            if isinstance(error, DaemonError):
                raise
            if isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError):
                raise DaemonError("no daemon runs: start one with giveway serve") from None
            why = error.strerror or error
            raise DaemonError(f"the daemon in {folder()} does not answer: {why}") from None
        self._lines = self._socket.makefile("rb")

    def _connect(self, until: float) -> None:
        with short_path(folder() / SOCKET_NAME) as path:
            while True:
                try:
                    self._socket.connect(path)
                except BlockingIOError:  # the queue of waiting clients is full
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.01)
                else:
                    return

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def request(self, do: str, **details: object) -> dict[str, Any]:
        """Sends one request and returns the answer.

        Raises:
            GivewayError: the daemon refuses the request, with the class of its error; or the daemon
                has ended.
        """
        line = json.dumps({"do": do, **details}).encode() + b"\n"
        try:
            self._socket.sendall(line)
        except OSError as error:
            try:
                line = self._lines.readline()  # the daemon may say why it closed the connection
            except OSError:
                line = b""
            if not line:
                raise DaemonError(f"the daemon does not answer: {error}") from None
            return _answer(line)
        return self._read()

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise DaemonError(f"the daemon does not answer: {error}") from None
        return _answer(line)

    def status(self) -> dict[str, Any]:
        """The policy in service, every task and device; docs/guides/daemon.md has the schema."""
        return self.request("status")

    def policy(self, policy: str | None = None) -> str:
        """The name of the policy in service, after putting ``policy`` in service if given.

        Raises:
            UsageError: no such policy.
        """
        status = self.status() if policy is None else self.request("policy", policy=policy)
        return str(status["policy"])

    def pause(self, pid: int, *, name: str | None = None, device: str | None = None) -> None:
        """Holds a task until it is resumed or the daemon ends.

        Raises:
            NoSuchTaskError: no task matches.
            UsageError: several tasks match.
        """
        self.request("pause", pid=pid, name=name, device=device)

    def resume(self, pid: int, *, name: str | None = None, device: str | None = None) -> None:
        """Ends a `pause`; raises as `pause`."""
        self.request("resume", pid=pid, name=name, device=device)

    def events(self, *, follow: bool = False, after: int = 0) -> Iterator[dict[str, Any]]:
        """The events in the daemon's log, the oldest first.

        Args:
            follow: continue with new events until the daemon ends.
            after: only events after the event of this number.

        Raises:
            DaemonError: without ``follow``, the daemon ended before it had sent all events.
        """
        self.request("events", after=after, follow=follow)
        if follow:
            self._socket.settimeout(None)
        while True:
            try:
                event = self._read()
            except DaemonError:
                if follow:
                    return
                raise
            if "event" not in event:
                return
            yield event


def _answer(line: bytes) -> dict[str, Any]:
    """The daemon's answer in a line; raises the error that it reports."""
    try:
        answer = json.loads(line) if line else None
    except ValueError as error:
        raise DaemonError(f"the daemon does not answer: {error}") from None
    if not isinstance(answer, dict):
        raise DaemonError("the daemon has closed the connection")
    if "error" in answer:
        kind: type[GivewayError] = _ERRORS.get(answer.get("code", 0), DaemonError)
        raise kind(str(answer["error"]))
    return answer


def refuse_second() -> None:
    """Checks that no daemon runs, before this process starts one.

    Raises:
        DaemonError: a daemon runs; the text has its process id and policy.
    """
    try:
        with Client() as first:
            status = first.status()
    except DaemonError:
        return  # a daemon that does not answer is found by its lock
    raise DaemonError(
        f"a daemon runs already: process {status['pid']}, policy {status['policy']}; "
        "giveway policy NAME puts another policy in service"
    )


def user_of(peer: socket.socket) -> int:
    """The user id of the peer, as the kernel reports it."""
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", data)[1])
