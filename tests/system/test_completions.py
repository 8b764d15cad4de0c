"""One request to a server, good or bad: what the client measures, and what it says went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giveway.bench.answers import Answer
from giveway.bench.completions import Endpoint, complete
from giveway.bench.http_stream import ServerError
from giveway.bench.requests import Request
from giveway.scenarios.model import Server
from tests.system import completion_server


def answer(behaviour: str, url: str = "/v1/completions", **request: object) -> Answer:
    async def ask() -> Answer:
        server = completion_server.Server(behaviour)
        async with await asyncio.start_server(server.handle, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            endpoint = Endpoint(Server(f"http://127.0.0.1:{port}{url}", request=request), "tiny")
            return await complete(endpoint, Request(time.monotonic(), 5, 4), segment=1)

    return asyncio.run(ask())


@pytest.mark.parametrize("request_", [{}, {"stream_options": {}}], ids=["counted", "not counted"])
def test_an_answer(request_: dict[str, object]) -> None:
    found = answer("well", **request_)
    # Four tokens, and the end of the answer.
    assert (found.tokens, len(found.moments)) == (4, 5)
    assert found.due <= found.began < found.moments[0] <= found.moments[-1] <= found.ended


def test_a_model_may_be_named_by_the_scenario() -> None:
    with pytest.raises(ServerError):  # the server asserts that it is asked for its own
        answer("well", model="other")


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("500", 'answered 500 Internal Server Error: {"error": {"message": "no kernel"}}'),
        ("json", 'streamed \'{"choices": [{"text": "all at once"}]}\', not an event'),
        ("nonsense", "streamed '{nothing', which is not a JSON object"),
        ("list", "streamed '[1, 2]', which is not a JSON object"),
        ("wrong", "streamed '{\"choices\": [5]}', which is not a part of an answer"),
        ("error", 'streamed an error: {"message": "out of memory"}'),
        ("half", "closed the connection in the middle of an answer"),
        ("early", "stopped in the middle of an answer, after 2 pieces of it"),
        ("empty", "ended an answer without a token"),
        ("closes", "closed the connection without an answer"),
        ("other", "does not speak HTTP/1.1: it sent 'SSH-2.0-OpenSSH'"),
        ("chunks", "sent 'xyz', not the size of a chunk"),
    ],
)
def test_a_bad_answer_is_named(behaviour: str, says: str) -> None:
    with pytest.raises(ServerError, match=re.escape(says)):
        answer(behaviour)


def sent(pieces: Sequence[bytes]) -> Answer:
    """The answer of a server that sends these bytes, and closes the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # With unread data, closing would reset the connection and lose what was sent.
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split()[0]))
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def ask() -> Answer:
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            endpoint = Endpoint(Server(f"http://127.0.0.1:{port}/v1/completions"), "tiny")
            return await complete(endpoint, Request(time.monotonic(), 5, 4), segment=1)

    return asyncio.run(ask())


HEAD = b"HTTP/1.1 200 OK\r\n"
EVENTS = b"".join(
    [
        b": ping\n\n",
        b'event: token\ndata: {"choices": [{"text": "\xc3\xa4\xe2\x82\xac"}]}\n\n',
        b'data: {"choices": [{"text": "b", "finish_reason": "stop"}]}\r\n\r\n',
        b'data: {"choices": [], "usage": {"completion_tokens": 3}}\n\n',
        b"data: [DONE]\n\n",
    ]
)


@given(
    cuts=st.lists(st.integers(1, len(EVENTS) - 1), max_size=8, unique=True), framing=st.booleans()
)
@settings(max_examples=30)
def test_an_answer_may_come_in_any_pieces(cuts: list[int], framing: bool) -> None:
    edges = [0, *sorted(cuts), len(EVENTS)]
    pieces = [EVENTS[a:b] for a, b in pairwise(edges)]
    if framing:
        chunked = [f"{len(each):X};x=y\r\n".encode() + each + b"\r\n" for each in pieces]
        pieces = [HEAD + b"transfer-encoding: CHUNKED\r\n\r\n", *chunked, b"0\r\n\r\n"]
    else:
        pieces = [HEAD + b"\r\n", *pieces]
    found = sent(pieces)
    assert (found.tokens, len(found.moments)) == (3, 2)


@given(
    head=st.sampled_from([b"", HEAD, HEAD + b"\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"]),
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
            st.sampled_from(["choices", "usage", "text", "delta", "completion_tokens", "error"]), x
        )).map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"),
    ),
)  # fmt: skip
@settings(max_examples=50)
def test_whatever_comes_is_an_answer_or_an_error_of_the_server(head: bytes, body: bytes) -> None:
    with contextlib.suppress(ServerError):
        found = sent([head + body])
        assert found.tokens > 0


def test_nested_nonsense_is_named() -> None:
    with pytest.raises(ServerError, match="which is not a JSON object"):
        sent([HEAD + b"\r\ndata: " + b"[" * 200_000 + b"\n"])


def test_nobody_is_there() -> None:
    async def ask() -> None:
        endpoint = Endpoint(Server("http://127.0.0.1:1/v1/completions"), None)
        await complete(endpoint, Request(time.monotonic(), 5, 4), segment=1)

    with pytest.raises(ServerError, match="cannot be reached"):
        asyncio.run(ask())
