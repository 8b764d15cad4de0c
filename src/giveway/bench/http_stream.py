"""A small HTTP/1.1 client for answers that come in pieces: one connection for each request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_MOST_LINE: Final = 1 << 20
_SHOWN: Final = 200
"""The characters of a message of a server that are shown."""


class ServerError(Exception):
    """What a server did wrong, as the rest of a sentence about it."""


class LostError(ServerError):
    """The connection was closed too early, perhaps because the server has ended."""


@dataclass
class Response:
    """An answer whose head has arrived."""

    status: int
    reason: str
    headers: Mapping[str, str]
    reader: asyncio.StreamReader

    async def text(self) -> str:
        """The start of the body, on one line."""
        found = b""
        async for line in self.lines():
            found += line + b" "
            if len(found) > 4 * _SHOWN:
                break
        return shown(found)

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines of the body as they come, without their ends.

        Raises:
            ServerError: the connection was closed in the middle of the body.
        """
        rest = b""
        async for block in self._blocks():
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield line.rstrip(b"\r")
            if len(rest) > _MOST_LINE:
                raise ServerError(f"sent a line of more than {_MOST_LINE} bytes")
        if rest:
            yield rest

    async def _blocks(self) -> AsyncIterator[bytes]:
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            while size := _chunk_size(await self._exactly(self.reader.readline())):
                yield await self._exactly(self.reader.readexactly(size))
                await self._exactly(self.reader.readexactly(2))
            return
        left = self.headers.get("content-length")
        remaining = int(left) if left is not None and left.isdigit() else None
        while remaining != 0:
            block = await self.reader.read(min(1 << 16, remaining or 1 << 16))
            if not block:
                if remaining:
                    raise LostError("closed the connection in the middle of an answer")
                return
            remaining = None if remaining is None else remaining - len(block)
            yield block

    async def _exactly(self, reading: object) -> bytes:
        try:
            found: bytes = await reading  # type: ignore[misc]
        except asyncio.IncompleteReadError:
            found = b""
        if not found:
            raise LostError("closed the connection in the middle of an answer")
        return found


@contextlib.asynccontextmanager
async def send(url: str, body: bytes | None = None) -> AsyncIterator[Response]:
    """Sends a request, and waits for the head of the answer; POST with a body, GET without.

    Raises:
        ServerError: there is no server, or it does not speak HTTP, or it closes the connection.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    try:
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or 80, limit=_MOST_LINE
        )
    except OSError as error:
        raise LostError(f"cannot be reached: {error.strerror or error}") from error
    try:
        writer.write(_head(parts.netloc, parts.path, body) + (body or b""))
        yield await _response(reader)
    except OSError as error:
        raise LostError(f"closed the connection: {error.strerror or error}") from error
    except ValueError as error:  # a line that is longer than the limit of the reader
        raise ServerError(f"did not answer as HTTP does: {error}") from error
    finally:
        writer.transport.abort()


def shown(text: bytes) -> str:
    """What a server sent, for a message of one line."""
    plain = " ".join(text.decode(errors="replace").split())
    plain = "".join(sign if sign.isprintable() else "?" for sign in plain)
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"


def _head(host: str, path: str, body: bytes | None) -> bytes:
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {host}"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += ["Accept: text/event-stream, application/json", "Connection: close", "", ""]
    return "\r\n".join(lines).encode()


async def _response(reader: asyncio.StreamReader) -> Response:
    first = await reader.readline()
    if not first:
        raise LostError("closed the connection without an answer")
    version, _, rest = first.decode(errors="replace").strip().partition(" ")
    status, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ServerError(f"does not speak HTTP/1.1: it sent {shown(first)!r}")
    headers = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode(errors="replace").partition(":")
        headers[name.strip().lower()] = value.strip()
    if not line:
        raise LostError("closed the connection in the middle of an answer")
    return Response(int(status), reason, headers, reader)


def _chunk_size(line: bytes) -> int:
    try:
        return int(line.split(b";")[0], 16)
    except ValueError:
        raise ServerError(f"sent {shown(line)!r}, not the size of a chunk") from None
