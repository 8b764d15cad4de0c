"""The daemon's clients: each has a bounded share of its memory and of its patience."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from giveway import client
from giveway.daemon.log import Log
from giveway.daemon.requests import MAX_LINE, Request, parse
from giveway.errors import GivewayError

MAX_CONNECTIONS: Final = 64
MAX_UNREAD: Final = 1 << 20
"""Bytes of answers that a client may leave unread before it is dropped."""
PATIENCE_SECONDS: Final = 10.0
"""For how long a connection may neither say nor take anything, unless it follows events and has
been told of all."""
BATCH: Final = 1 << 16
"""Bytes of events that wait for a client at a time."""

Answer = Callable[[Request], dict[str, Any]]


class Connection:
    """One client."""

    def __init__(self, peer: socket.socket, now: float) -> None:
        self.socket = peer
        self.unread = bytearray()
        self.unsent = bytearray()
        self.told: int | None = None
        """The last event it was told of, where it wants to be told of them."""
        self.until: int | None = None
        """The last event it wants to be told of; None: there is no last one."""
        self.heard = now

    def fileno(self) -> int:
        return self.socket.fileno()

    def say(self, document: dict[str, Any]) -> None:
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
        """Takes whoever waits, or sends them away."""
        for _ in range(MAX_CONNECTIONS):
            try:
                peer, _ = self.listener.accept()
            except OSError:  # nobody more; or no descriptor is left, and one may be soon
                return
            peer.setblocking(False)
            if client.user_of(peer) != os.geteuid():
                peer.close()
            elif len(self._all) >= MAX_CONNECTIONS:
                self.drop_silent()
                with contextlib.suppress(OSError):
                    peer.send(b'{"error": "too many connections", "code": 7}\n')
                peer.close()
            else:
                self._all[peer.fileno()] = Connection(peer, self._clock())

    def read(self, connection: Connection) -> None:
        """Takes what a client says, and answers whole lines; one that was dropped says nothing."""
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
        connection.heard = self._clock()
        connection.unread += data
        while (end := connection.unread.find(b"\n")) >= 0:
            line = bytes(connection.unread[:end])
            del connection.unread[: end + 1]
            self._handle(connection, line)
            if len(connection.unsent) > MAX_UNREAD:
                self._drop(connection)
                return
        if len(connection.unread) >= MAX_LINE:
            connection.say({"error": "a request is at most 65536 bytes", "code": 2})
            self.write(connection)
            self._drop(connection)
        elif connection.unsent:
            self.write(connection)

    def write(self, connection: Connection) -> None:
        """Sends what is still to be sent, as far as the client takes it."""
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
        connection.heard = self._clock()

    def tell(self) -> None:
        """Sends events to those who want them, as fast as they read."""
        for connection in list(self._all.values()):
            told, until = connection.told, connection.until
            last = self._log.last if until is None else until
            if told is None or len(connection.unsent) >= BATCH:
                continue
            if told < last:
                for event in self._log.after(told):
                    if event["event"] > last or len(connection.unsent) >= BATCH:
                        break
                    connection.say(event)
                    connection.told = event["event"]
                else:
                    connection.told = last  # also where they have been forgotten by now
            if connection.told == until:
                connection.say({"end": True})
                connection.told = None
            if connection.unsent:
                self.write(connection)

    def drop_silent(self) -> None:
        """Ends connections on which nothing has moved for a while."""
        now = self._clock()
        for connection in list(self._all.values()):
            waits = connection.unsent or connection.told is None
            if waits and now - connection.heard > PATIENCE_SECONDS:
                self._drop(connection)

    def close(self) -> None:
        for connection in list(self._all.values()):
            self._drop(connection)
        self.listener.close()

    def _handle(self, connection: Connection, line: bytes) -> None:
        try:
            request = parse(line)
            connection.say(self._answer(request))
        except GivewayError as error:
            connection.say({"error": " ".join(str(error).split()), "code": error.exit_code})
            return
        if request.do == "events":
            connection.told = min(request.after, self._log.last)
            connection.until = None if request.follow else self._log.last

    def _drop(self, connection: Connection) -> None:
        self._all.pop(connection.fileno(), None)
        connection.socket.close()
