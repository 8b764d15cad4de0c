"""The daemon's clients, on a clock that the test turns."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from giveway.daemon import connections
from giveway.daemon.client import Client, short_path
from giveway.daemon.connections import (
    BATCH,
    IDLE_TIMEOUT_SECONDS,
    MAX_CONNECTIONS,
    MAX_UNREAD,
    Connections,
)
from giveway.daemon.log import Log
from giveway.daemon.requests import Request
from giveway.errors import DaemonError


class Clients:
    """All connections of one listener, and the clients' ends of them."""

    def __init__(self, path: Path) -> None:
        self.now = 100.0
        self.log = Log(lambda: self.now)
        self.path = path
        listener = socket.socket(socket.AF_UNIX)
        with short_path(path) as name:
            listener.bind(name)
        listener.listen(200)
        listener.setblocking(False)
        self.all = Connections(listener, self.answer, self.log, lambda: self.now)
        self.opened: list[socket.socket] = []

    def answer(self, request: Request) -> dict[str, Any]:
        return {"did": request.do, "filler": "x" * 1000}

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        self.opened.append(peer)
        with short_path(self.path) as name:
            peer.connect(name)
        peer.setblocking(False)
        self.all.accept()
        return peer

    def turn(self) -> None:
        """What the daemon's loop does in one turn."""
        for connection in self.all.readers():
            self.all.read(connection)
        for connection in self.all.writers():
            self.all.write(connection)
        self.all.send_events()

    def says(self, peer: socket.socket) -> list[dict[str, Any]]:
        return [json.loads(line) for line in peer.recv(1 << 20).splitlines()]


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Clients]:
    clients = Clients(tmp_path / "socket")
    yield clients
    clients.all.close()
    for peer in clients.opened:
        peer.close()


def test_whoever_says_nothing_is_dropped_after_a_while(clients: Clients) -> None:
    silent, talks = clients.connect(), clients.connect()
    clients.now += IDLE_TIMEOUT_SECONDS - 1
    clients.all.drop_idle()
    assert len(clients.all.readers()) == 2
    talks.sendall(b'{"do": "status"}\n')
    clients.turn()
    clients.now += 2
    clients.all.drop_idle()
    assert silent.recv(10) == b""
    assert clients.says(talks)[0]["did"] == "status"


def test_there_is_room_again_when_the_silent_have_gone(clients: Clients) -> None:
    for _ in range(MAX_CONNECTIONS):
        clients.connect()
    (refusal,) = clients.says(clients.connect())
    assert refusal["code"] == 7
    assert "64 clients, and takes no more" in refusal["error"]
    clients.now += IDLE_TIMEOUT_SECONDS + 1
    clients.connect()  # turns the next one away once more, and drops the others
    peer = clients.connect()
    peer.sendall(b'{"do": "status"}\n')
    clients.turn()
    assert clients.says(peer)[0]["did"] == "status"


def test_a_follower_that_has_been_told_all_may_be_silent(clients: Clients) -> None:
    follower = clients.connect()
    follower.sendall(b'{"do": "events", "follow": true}\n')
    clients.turn()
    clients.log.add("held")
    clients.turn()
    clients.now += 100 * IDLE_TIMEOUT_SECONDS
    clients.all.drop_idle()
    clients.log.add("opened")
    clients.turn()
    assert [said.get("what") for said in clients.says(follower)] == [None, "held", "opened"]


def test_a_follower_that_does_not_read_costs_little_and_is_dropped(clients: Clients) -> None:
    follower, other = clients.connect(), clients.connect()
    follower.sendall(b'{"do": "events", "follow": true}\n')
    for _ in range(9000):
        clients.log.add("held", filler="x" * 200)
    for _ in range(100):
        clients.turn()
    assert max(len(each.unsent) for each in clients.all.readers()) < BATCH + 1000
    other.sendall(b'{"do": "status"}\n')
    clients.turn()
    assert clients.says(other)[0]["did"] == "status"
    clients.now += IDLE_TIMEOUT_SECONDS + 1
    other.sendall(b'{"do": "status"}\n')
    clients.turn()
    clients.all.drop_idle()
    assert len(clients.all.readers()) == 1


def test_a_client_that_leaves_too_many_answers_unread_is_dropped(clients: Clients) -> None:
    peer = clients.connect()
    sent = 0
    while clients.all.readers():
        peer.sendall(b'{"do": "status"}\n' * 100)
        clients.turn()
        sent += 1
        assert sent * 100 * 1000 < 4 * MAX_UNREAD


def test_a_client_of_a_full_daemon_is_told_so_and_not_of_a_broken_pipe() -> None:
    client = Client.__new__(Client)
    client._socket, daemon = socket.socketpair()
    client._lines = client._socket.makefile("rb")
    daemon.sendall(connections._FULL)
    daemon.close()
    with client, pytest.raises(DaemonError, match="64 clients, and takes no more"):
        client.request("status")


def test_a_client_of_a_daemon_that_ended_is_told_so() -> None:
    client = Client.__new__(Client)
    client._socket, daemon = socket.socketpair()
    client._lines = client._socket.makefile("rb")
    daemon.close()
    with client, pytest.raises(DaemonError, match="does not answer"):
        client.request("status")
