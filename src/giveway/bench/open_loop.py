"""Sends requests to a server when they are due, however long earlier answers take (open loop).

One thread sleeps until each request is due, because its clock is finer than that of an event loop.
Another thread runs an event loop with one task for each request.
"""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from collections.abc import Awaitable, Callable, Sequence

from giveway.bench.answers import Answer
from giveway.bench.http_stream import ServerError
from giveway.bench.requests import Request

Send = Callable[[Request], Awaitable[Answer]]
"""Sends a request and returns the answer; raises ServerError."""


class OpenLoop:
    """The requests of one segment, on their way from the moment of construction on."""

    def __init__(self, send: Send, requests: Sequence[Request]) -> None:
        self._send, self._requests = send, requests
        self._answers: list[Answer] = []
        self._failure: Exception | None = None
        self._over = threading.Event()
        self._cancelled = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        # A server that stands still gathers connections. Programs that start later get the usual
        # limit again.
        self._limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._limits[1], self._limits[1]))
        self._threads = [
            threading.Thread(target=each, daemon=True) for each in (self._run_loop, self._run_clock)
        ]
        for thread in self._threads:
            thread.start()

    def answers(self, deadline: float) -> list[Answer]:
        """All answers, in the order of the requests.

        Args:
            deadline: until when to wait for them, on the monotonic clock.

        Raises:
            ServerError: an answer is not as it should be, or does not come in time.
        """
        in_time = self._over.wait(max(0.0, deadline - time.monotonic()))
        missing = len(self._requests) - len(self._answers)
        self.cancel()
        if self._failure is not None:
            raise self._failure
        if not in_time:
            raise ServerError(f"did not answer {missing} of {len(self._requests)} requests in time")
        return sorted(self._answers, key=lambda answer: answer.due)

    def cancel(self) -> None:
        """Closes all connections; returns when both threads have ended."""
        if self._cancelled.is_set():
            return
        self._cancelled.set()
        self._over.set()
        for thread in self._threads[::-1]:
            thread.join()
        resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)

    def _run_clock(self) -> None:
        for request in self._requests:
            if self._cancelled.wait(max(0.0, request.due - time.monotonic())):
                break
            self._loop.call_soon_threadsafe(self._start, request)
        self._loop.call_soon_threadsafe(self._look)
        self._over.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run_loop(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._cancel_tasks())
        self._loop.close()

    async def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, request: Request) -> None:
        self._tasks.add(self._loop.create_task(self._one(request)))

    async def _one(self, request: Request) -> None:
        try:
            self._answers.append(await self._send(request))
        except Exception as failure:
            # Failures after the first one are mostly its consequences.
            self._failure = self._failure or failure
            self._over.set()
        self._look()

    def _look(self) -> None:
        """Ends the load after the last answer."""
        if len(self._answers) == len(self._requests):
            self._over.set()
