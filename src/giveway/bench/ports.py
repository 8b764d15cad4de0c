"""Chooses the ports of servers, where a scenario leaves them to the bench."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from giveway.scenarios.model import PORT


class Ports:
    """Gives each server a free port, and no port twice."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def choose(self, url: str) -> int:
        """A port that no program has on any address of this machine.

        It stays free until the server has it, unless another program is quicker. No socket keeps
        it meanwhile: many servers could not have it then.

        Args:
            url: the address of the server, which says whether it is one of IPv6.

        Raises:
            OSError: there is no free port.
        """
        while True:
            with socket.socket(_family(url)) as listener:
                listener.bind(("", 0))
                port: int = listener.getsockname()[1]
            if port not in self._given:
                self._given.add(port)
                return port


def is_taken(url: str) -> bool:
    """Whether a server cannot have the port of its address, because another program has it."""
    with socket.socket(_family(url)) as listener:
        # A connection that was closed a moment ago does not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", urlsplit(url).port or 80))
        except OSError:
            return True
    return False


def filled(text: str, port: int) -> str:
    """A text of a scenario with the port in its place. Other braces stay as they are."""
    return text.replace(PORT, str(port))


def filled_environment(
    environment: Mapping[str, str], stated: Mapping[str, str], port: int
) -> dict[str, str]:
    """An environment with the port in the variables that a scenario states, and in no others."""
    return {
        key: filled(text, port) if PORT in stated.get(key, "") else text
        for key, text in environment.items()
    }


def _family(url: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in (urlsplit(url).hostname or "") else socket.AF_INET
