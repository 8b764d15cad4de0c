"""One request to a server, good or bad: what the client measures, and what it says went wrong."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

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


def test_nobody_is_there() -> None:
    async def ask() -> None:
        endpoint = Endpoint(Server("http://127.0.0.1:1/v1/completions"), None)
        await complete(endpoint, Request(time.monotonic(), 5, 4), segment=1)

    with pytest.raises(ServerError, match="cannot be reached"):
        asyncio.run(ask())
