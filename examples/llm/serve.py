"""A server of the OpenAI interface with random weights, for `giveway bench`; downloads nothing.

    python examples/llm/serve.py --engine giveway --model tiny --device cpu
    python examples/llm/serve.py --engine vllm --model 8b

It has `/v1/models` and the streaming `/v1/completions`, for prompts that are numbers of tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import engines


class Server:
    def __init__(self, engine: Any, model: str) -> None:
        self._engine, self._model = engine, model
        self._longest = engines.LONGEST[model]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if head.startswith("GET /v1/models "):
                _plain(writer, HTTPStatus.OK, {"data": [{"id": self._model}]})
            elif head.startswith("POST /v1/completions "):
                lines = (line.partition(":") for line in head.lower().splitlines())
                length = next(int(value) for name, _, value in lines if name == "content-length")
                await self._complete(writer, json.loads(await reader.readexactly(length)))
            else:
                _plain(writer, HTTPStatus.NOT_FOUND, {"error": head.splitlines()[0]})
            await writer.drain()
        writer.close()

    async def _complete(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        prompt, count = body["prompt"], body["max_tokens"]
        if not isinstance(prompt, list) or not body.get("stream"):
            _plain(writer, HTTPStatus.BAD_REQUEST, {"error": "needs numbers of tokens and stream"})
            return
        if len(prompt) + count > self._longest:
            error = f"a prompt and its answer have {self._longest} tokens together at most"
            _plain(writer, HTTPStatus.BAD_REQUEST, {"error": error})
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        tokens: AsyncIterator[int] = self._engine.answer(prompt, count)
        async for number in tokens:
            # Without a tokenizer there is no text; what matters here is when it comes.
            _event(writer, {"choices": [{"text": " a" * number, "finish_reason": None}]})
            await writer.drain()
        _event(writer, {"choices": [{"text": "", "finish_reason": "length"}]})
        _event(writer, {"choices": [], "usage": {"completion_tokens": count}})
        writer.write(b"data: [DONE]\n\n")


def _plain(writer: asyncio.StreamWriter, status: HTTPStatus, value: object) -> None:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


def _event(writer: asyncio.StreamWriter, value: object) -> None:
    writer.write(b"data: " + json.dumps(value).encode() + b"\n\n")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", choices=("vllm", "vllm-in-process", "giveway"), required=True)
    parser.add_argument("--model", choices=("tiny", "1b", "8b"), default="8b")
    parser.add_argument("--device", default="cuda", help="of the engine giveway")
    parser.add_argument("--slots", type=int, default=64, help="requests at a time, at most")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    engine = engines.create(given.engine, given.model, given.device, given.slots)
    async for _ in engine.answer([1, 2, 3], 2):  # before it listens, it is warm
        pass
    server = await asyncio.start_server(
        Server(engine, given.model).handle, "127.0.0.1", given.port, limit=1 << 20
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
