"""One request to an OpenAI-compatible server, as a stream of tokens."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from typing import Any, Final

from giveway.bench.answers import Answer
from giveway.bench.http_stream import LostError, ServerError, send, shown
from giveway.bench.requests import Request
from giveway.scenarios.model import Server

_WORDS: Final = (
    *("the", "of", "and", "to", "in", "is", "that", "it", "for", "on", "with", "as", "was", "be"),
    *("by", "at", "from", "have", "or", "an", "they", "which", "one", "you", "were", "all", "her"),
)
"""Common words, each of which is one token of the usual vocabularies."""
_LEAST_ID, _MOST_ID = 100, 999
"""Numbers of tokens that every vocabulary has, and that none uses for the end of a text."""
_TEXTS: Final = ("content", "reasoning_content", "reasoning", "tool_calls")
_SSE_FIELDS: Final = (b":", b"event:", b"id:", b"retry:")


@dataclass(frozen=True)
class Endpoint:
    """The server of a scenario, and the model that it serves."""

    server: Server
    model: str | None

    @property
    def chat(self) -> bool:
        return self.server.url.endswith("/chat/completions")

    def body(self, request: Request, segment: object) -> bytes:
        """The body of a request. Its prompt differs from that of any other request of any segment,
        because a server may keep what it computed of a prompt."""
        draw = random.Random(f"{segment} {request.number} prompt")
        prompt: Any
        if self.server.prompt == "tokens":
            prompt = [draw.randint(_LEAST_ID, _MOST_ID) for _ in range(request.prompt_tokens)]
        else:
            prompt = " ".join(draw.choices(_WORDS, k=request.prompt_tokens))
        fields: dict[str, Any] = {
            "max_tokens": request.output_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.model is not None:
            fields["model"] = self.model
        if self.chat:
            fields["messages"] = [{"role": "user", "content": prompt}]
        else:
            fields["prompt"] = prompt
        fields |= self.server.request
        # Some servers refuse fields that others need: an empty table removes one.
        return json.dumps({key: value for key, value in fields.items() if value != {}}).encode()


async def complete(endpoint: Endpoint, request: Request, segment: object) -> Answer:
    """Sends a request and receives its whole answer.

    Raises:
        ServerError: the server did not answer as it should.
    """
    body = endpoint.body(request, segment)
    answer = Answer(request.due, time.monotonic())
    pieces = 0
    usage = None
    finished = False
    async with send(endpoint.server.url, body) as response:
        if response.status != 200:
            why = f"answered {response.status} {response.reason}: {await response.text()}"
            raise ServerError(why.rstrip(": "))
        async for line in response.lines():
            if not line.strip() or line.startswith(_SSE_FIELDS):
                continue
            if not line.startswith(b"data:"):
                raise ServerError(f"streamed {shown(line)!r}, not an event `data: …`")
            data = line[5:].strip()
            if data == b"[DONE]":
                finished = True
                break
            event = _event(data)
            parts, counted = _contents(event)
            usage = counted or usage
            for text, ends in parts:
                # The first event of a chat only says that the assistant speaks. A server without a
                # tokenizer streams empty texts.
                if text or ends or not endpoint.chat:
                    answer.moments.append(time.monotonic())
                pieces += bool(text)
                finished = finished or ends
    answer.ended = time.monotonic()
    if not finished:
        raise LostError(f"stopped in the middle of an answer, after {pieces} pieces of it")
    if not answer.moments:
        raise ServerError("ended an answer without a token")
    answer.tokens = usage or pieces or len(answer.moments)
    return answer


def _event(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise ServerError(f"streamed {shown(data)!r}, which is not a JSON object")
    if event.get("error"):
        raise ServerError(f"streamed an error: {shown(json.dumps(event['error']).encode())}")
    return event


def _contents(event: dict[str, Any]) -> tuple[list[tuple[bool, bool]], int | None]:
    """Of each choice, whether it has a text and whether the answer ends with it; and the number of
    tokens of the whole answer, if the event has it."""
    try:
        choices = [
            (
                any((each.get("delta") or {}).get(key) for key in _TEXTS) or bool(each.get("text")),
                each.get("finish_reason") is not None,
            )
            for each in event.get("choices") or ()
        ]
        tokens = (event.get("usage") or {}).get("completion_tokens")
        return choices, tokens if isinstance(tokens, int) and tokens > 0 else None
    except (AttributeError, TypeError):
        text = shown(json.dumps(event).encode())
        raise ServerError(f"streamed {text!r}, which is not a part of an answer") from None
