"""Messages of Ray, cut to one sentence; requests to a head node that may be gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from giveway.ray import connect
from giveway.ray.connect import first_sentence, while_reachable


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("No. Set RAY_SOMETHING.", "No"),
        ("\nfirst line\nsecond line", "first line"),
        (
            "status code 500: Traceback (most recent call last):\n  x\nOSError: gone",
            "OSError: gone",
        ),
        ("", "Ray gives no reason"),
        (None, "Ray gives no reason"),
    ],
)
def test_one_sentence_is_left(said: str | None, left: str) -> None:
    assert first_sentence(said) == left


@pytest.fixture
def head() -> Iterator[socket.socket]:
    """A head node, as far as its port goes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def address(head: socket.socket) -> str:
    return "{}:{}".format(*head.getsockname())


def test_the_answer_of_a_head_is_returned(head: socket.socket) -> None:
    assert while_reachable(address(head), lambda: 3) == 3


def test_an_exception_of_ray_is_passed_on(head: socket.socket) -> None:
    def fails() -> None:
        raise RuntimeError("as Ray says")

    with pytest.raises(RuntimeError, match="as Ray says"):
        while_reachable(address(head), fails)


def test_a_head_that_is_lost_while_it_is_asked_is_noticed(
    head: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "_LOOK_SECONDS", 0.01)
    answered = threading.Event()

    def is_lost() -> None:
        head.close()
        answered.wait()

    with pytest.raises(ConnectionError, match="refused"):
        while_reachable(address(head), is_lost)
    answered.set()


def test_a_head_that_stands_still_is_given_up(
    head: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(connect, "_ANSWER_SECONDS", 0.05)
    answered = threading.Event()
    with pytest.raises(ConnectionError, match="has not answered"):
        while_reachable(address(head), answered.wait)
    answered.set()
