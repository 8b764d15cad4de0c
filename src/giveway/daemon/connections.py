"""The connections of the daemon's clients, with limits on memory and idle time for each."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from giveway.daemon import client
from giveway.daemon.log import Log
from giveway.daemon.requests import MAX_LINE, Request, parse
from giveway.errors import GivewayError

MAX_CONNECTIONS: Final = 64
MAX_UNREAD: Final = 1 << 20
"""Bytes of answers that a client may leave unread before its connection is dropped."""
IDLE_TIMEOUT_SECONDS: Final = 10.0
"""How long a connection may transfer nothing. Connections that follow events and have received all
of them are exempt."""
BATCH: Final = 1 << 16
"""Bytes of events that are queued for a client at a time."""

_FULL: Final = (
    json.dumps(
        {
            "error": f"the daemon has {MAX_CONNECTIONS} clients, and takes no more:"
            " end some of giveway top, giveway events --follow and your own",
            "code": 7,
        }
    ).encode()
    + b"\n"
)

Answer = Callable[[Request], dict[str, Any]]


class Connection:
    """One client."""

    def __init__(self, peer: socket.socket, now: float) -> None:
        self.socket = peer
        self.unread = bytearray()
        self.unsent = bytearray()
        self.last_sent: int | None = None
        """The number of the last event sent; None: the client did not request events."""
        self.last_wanted: int | None = None
        """The number of the last event to send; None: no end."""
        self.last_activity = now

    def fileno(self) -> int:
        return self.socket.fileno()

    def queue(self, document: dict[str, Any]) -> None:
        self.unsent += json.dumps(document, ensure_ascii=False).encode(errors="replace") + b"\n"


class Connections:
    """All clients of one socket."""

    def __init__(
        self,
        listener: socket.socket,
        answer: Answer,
        log: Log,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.listener = listener
        self._clock = clock
        self._answer = answer
        self._log = log
        self._all: dict[int, Connection] = {}

    def readers(self) -> list[Connection]:
        return list(self._all.values())

    def writers(self) -> list[Connection]:
        return [connection for connection in self._all.values() if connection.unsent]

    def accept(self) -> None:
        """Accepts all waiting clients; rejects those of other users and those above the limit."""
        for _ in range(MAX_CONNECTIONS):
            try:
                peer, _ = self.listener.accept()
            except OSError:  # no client waits, or no descriptor is free at the moment
                return
            peer.setblocking(False)
            if client.user_of(peer) != os.geteuid():
                peer.close()
            elif len(self._all) >= MAX_CONNECTIONS:
                self.drop_idle()
                with contextlib.suppress(OSError):
                    peer.send(_FULL)
                peer.close()
            else:
                self._all[peer.fileno()] = Connection(peer, self._clock())

    def read(self, connection: Connection) -> None:
        """Reads from a client and answers each complete line; ignores a dropped connection."""
        if connection.fileno() < 0:
            return
        try:
            data = connection.socket.recv(MAX_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        connection.last_activity = self._clock()
        connection.unread += data
        while (end := connection.unread.find(b"\n")) >= 0:
            line = bytes(connection.unread[:end])
            del connection.unread[: end + 1]
            self._handle(connection, line)
            if len(connection.unsent) > MAX_UNREAD:
                self._drop(connection)
                return
        if len(connection.unread) >= MAX_LINE:
            connection.queue({"error": "a request is at most 65536 bytes", "code": 2})
            self.write(connection)
            self._drop(connection)
        elif connection.unsent:
            self.write(connection)

    def write(self, connection: Connection) -> None:
        """Sends queued bytes, as many as the client accepts now."""
        if connection.fileno() < 0:
            return
        try:
            sent = connection.socket.send(connection.unsent)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        del connection.unsent[:sent]
        connection.last_activity = self._clock()

    def send_events(self) -> None:
        """Sends events to the clients that requested them, as fast as the clients read."""
        for connection in list(self._all.values()):
            sent, wanted = connection.last_sent, connection.last_wanted
            last = self._log.last if wanted is None else wanted
            if sent is None or len(connection.unsent) >= BATCH:
                continue
            if sent < last:
                for event in self._log.after(sent):
                    if event["event"] > last or len(connection.unsent) >= BATCH:
                        break
                    connection.queue(event)
                    connection.last_sent = event["event"]
                else:
                    connection.last_sent = last  # also if the log has dropped the events
            if connection.last_sent == wanted:
                connection.queue({"end": True})
                connection.last_sent = None
            if connection.unsent:
                self.write(connection)

    def drop_idle(self) -> None:
        """Drops the connections whose idle timeout has passed."""
        now = self._clock()
        for connection in list(self._all.values()):
            waits = connection.unsent or connection.last_sent is None
            if waits and now - connection.last_activity > IDLE_TIMEOUT_SECONDS:
                self._drop(connection)

    def close(self) -> None:
        for connection in list(self._all.values()):
            self._drop(connection)
        self.listener.close()

    def _handle(self, connection: Connection, line: bytes) -> None:
        try:
            request = parse(line)
            connection.queue(self._answer(request))
        except GivewayError as error:
            connection.queue({"error": " ".join(str(error).split()), "code": error.exit_code})
            return
        if request.do == "events":
            connection.last_sent = min(request.after, self._log.last)
            connection.last_wanted = None if request.follow else self._log.last

    def _drop(self, connection: Connection) -> None:
        self._all.pop(connection.fileno(), None)
        connection.socket.close()
