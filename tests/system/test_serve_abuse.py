"""Clients that mean ill, or do not mean anything."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from giveway.daemon.client import Client, short_path
from tests.conftest import Spawner
from tests.system.daemons import Daemon
from tests.waiting import eventually


@pytest.fixture
def daemon(spawn: Spawner) -> Daemon:
    return Daemon(spawn)


@pytest.fixture
def connect(giveway_dir: Path) -> Iterator[Any]:
    opened: list[socket.socket] = []

    def one() -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        opened.append(peer)
        with short_path(giveway_dir / "daemon.sock") as name:
            peer.connect(name)  # waits where a thousand others do
        peer.settimeout(60)
        return peer

    yield one
    for peer in opened:
        peer.close()


def answer(peer: socket.socket) -> dict[str, Any]:
    with peer.makefile("rb") as lines:
        document: dict[str, Any] = json.loads(lines.readline())
        return document


def test_what_is_no_request_gets_an_error(daemon: Daemon, connect: Any) -> None:
    for line in (b"\n", b"hello\n", b"\x00\xff\n", b'{"do": "dance"}\n', b"[" * 50_000 + b"\n"):
        peer = connect()
        peer.sendall(line)
        assert answer(peer)["code"] == 2
        peer.sendall(b'{"do": "status"}\n')
        assert answer(peer)["policy"] == "priority"


def test_a_request_without_end_is_cut_off(daemon: Daemon, connect: Any) -> None:
    peer = connect()
    with contextlib.suppress(OSError):
        for _ in range(100):
            peer.sendall(b"x" * 10_000)
    assert daemon.policy() == "priority"


def test_half_a_request_does_not_stop_others(daemon: Daemon, connect: Any) -> None:
    connect().sendall(b'{"do": "sta')
    assert daemon.policy() == "priority"


def test_a_thousand_connections(daemon: Daemon, connect: Any) -> None:
    before = descriptors(daemon)
    peers = [connect() for _ in range(1000)]
    assert "64 clients, and takes no more" in answer(peers[-1])["error"]
    assert descriptors(daemon) <= before + 70
    for peer in peers:
        peer.close()
    assert eventually(lambda: daemon.policy() == "priority")


def descriptors(daemon: Daemon) -> int:
    pid = daemon.process.pid
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return len(os.listdir(f"/proc/{child}/fd"))


def test_a_client_that_does_not_read(daemon: Daemon, connect: Any) -> None:
    peer = connect()
    peer.settimeout(0.5)
    with contextlib.suppress(OSError):
        for _ in range(100_000):
            peer.sendall(b'{"do": "status"}\n' * 10)
    assert daemon.policy() == "priority"
    peer.settimeout(60)
    with contextlib.suppress(ConnectionError):
        while peer.recv(1 << 16):
            pass  # it was dropped: what was on its way comes to an end


def test_a_follower_that_does_not_read(daemon: Daemon, connect: Any) -> None:
    peer = connect()
    peer.sendall(b'{"do": "events", "follow": true}\n')
    for _ in range(1000):
        daemon.policy("rr")
        daemon.policy("fair")
    assert daemon.policy() == "fair"


def test_a_socket_that_was_taken_over_is_taken_back(daemon: Daemon, giveway_dir: Path) -> None:
    def answers() -> bool:
        with Client(timeout=1) as client:  # the thief says nothing
            return client.policy() == "priority"

    path = giveway_dir / "daemon.sock"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as thief, short_path(path) as name:
        thief.bind(name)
        thief.listen()
        assert eventually(answers)
    assert [event["what"] for event in daemon.events("socket")] == ["socket"]
