"""Serves requests together, as engines of language models do (continuous batching).

A request that is due takes a free slot. The engine computes its prompt, and then each step gives
one token more to every slot. Between two steps at most one prompt is computed, so that prompts do
not stop the answers of others.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from giveway.bench.answers import Answer
from giveway.bench.loops import Clock, Segment, Sleep
from giveway.bench.requests import Request


class Engine(Protocol):
    """A language model. Both methods return when the tokens are on the host."""

    slots: int

    def prefill(self, slot: int, tokens: int) -> object:
        """Computes a prompt in a slot, and the first token of its answer."""

    def step(self) -> object:
        """Computes one token more in each slot."""


def serve(
    engine: Engine,
    segment: Segment,
    requests: Sequence[Request],
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> tuple[list[Answer], float]:
    """Serves open-loop requests, whose due times do not depend on earlier answers.

    All requests due before the end of the segment are answered. Those of the tail are served as
    long as it lasts.

    Returns:
        The answers, in the order of the requests, and the part of the counted seconds in which the
        engine worked.
    """
    waiting = deque(requests)
    free = list(range(engine.slots))
    running: dict[int, tuple[Answer, int]] = {}
    answers: list[Answer] = []
    busy = 0.0
    now = clock()
    while waiting or running:
        began = now
        if waiting and waiting[0].due >= segment.end and now >= segment.over:
            waiting.clear()
        if waiting and free and waiting[0].due <= now:
            request, slot = waiting.popleft(), free.pop()
            answer = Answer(request.due, began)
            answers.append(answer)
            running[slot] = (answer, request.output_tokens)
            engine.prefill(slot, request.prompt_tokens)
            now = clock()
            _receive(running, free, [slot], now)
        elif not running and waiting:
            sleep(waiting[0].due - now)
            now = clock()
            continue
        if running:
            engine.step()
            now = clock()
            _receive(running, free, list(running), now)
        busy += max(0.0, min(now, segment.end) - max(began, segment.counted_from))
    return answers, busy


def one(engine: Engine, prompt_tokens: int, output_tokens: int) -> None:
    """Serves a single request."""
    engine.prefill(0, prompt_tokens)
    for _ in range(output_tokens - 1):
        engine.step()


def _receive(
    running: dict[int, tuple[Answer, int]], free: list[int], slots: Sequence[int], now: float
) -> None:
    """Notes a token of each of the slots, and frees those whose answer is complete."""
    for slot in slots:
        answer, wanted = running[slot]
        answer.moments.append(now)
        answer.tokens += 1
        if answer.tokens == wanted:
            answer.ended = now
            del running[slot]
            free.append(slot)
