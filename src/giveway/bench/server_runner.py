"""Runs an OpenAI-compatible server as a program, and makes its load.

The server is started by its command, in the way of its mode, and answers segment after segment.
Modes that start a server in the same way have one server. Where the scenario leaves the port to the
bench, all servers start at the same time and stay. Otherwise they have the same address, so a
server ends when that of another mode starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from giveway.bench import answers, completions, event_loop
from giveway.bench.answers import Answer
from giveway.bench.arrivals import trace_rate
from giveway.bench.completions import Endpoint
from giveway.bench.guard import Guard
from giveway.bench.http_stream import LostError, ServerError, send
from giveway.bench.loops import Segment
from giveway.bench.open_loop import OpenLoop
from giveway.bench.ports import Ports, filled, filled_environment, is_taken
from giveway.bench.process import Process, ProgramFailedError
from giveway.bench.requests import Request, requests
from giveway.bench.runner import Assignment
from giveway.bench.signals import delayed_signals
from giveway.scenarios.model import Program, Scenario

_POLL_SECONDS: Final = 0.1
_PROBE_SECONDS: Final = 10.0
"""The longest time that a server may take to list its models."""
_TIMED_REQUESTS: Final = 3
_WARM_TOGETHER: Final = 8
_GRACE_SECONDS: Final = 5.0
_END_SECONDS: Final = 1.0
"""How long a program that ends keeps its status after its connections are closed, at most."""
_LOADING: Final = 503
"""The status of a server that is not yet ready."""
_PORTS: Final = 3
"""The most ports that a server is started with, where other programs take them first."""


class ServerRunner:
    """A server of the modes that start it in the same way."""

    def __init__(
        self,
        program: Program,
        scenario: Scenario,
        environment: Mapping[str, str],
        guard: Guard,
        prefix: Sequence[str],
        siblings: list[ServerRunner],
        ports: Ports,
    ) -> None:
        """Starts nothing.

        Args:
            program: the program.
            scenario: its scenario.
            environment: of the server.
            guard: knows the processes.
            prefix: the words before its command.
            siblings: the runners of the same program in other modes; this one is added.
            ports: chooses the port, where the scenario does not.
        """
        assert program.server is not None and program.tokens is not None
        self._program, self._scenario, self._guard = program, scenario, guard
        self._prefix, self._environment = tuple(prefix), environment
        self._siblings, self._ports = siblings, ports
        siblings.append(self)
        arrivals = program.arrivals
        self.rate = arrivals.rate or trace_rate(arrivals.moments)
        self._process: Process | None = None
        self._is_warm = False
        self._server = program.server
        self._endpoint = Endpoint(program.server, None)
        self._load: OpenLoop | None = None
        self._assignment: Assignment | None = None
        self._sent = 0

    @property
    def session(self) -> int | None:
        return self._process.pid if self._process else None

    def starts_alike(self, environment: Mapping[str, str], prefix: Sequence[str]) -> bool:
        """Whether a server of the same program with this environment and prefix would be equal."""
        return (tuple(prefix), environment) == (self._prefix, self._environment)

    @property
    def own_port(self) -> bool:
        """Whether no other server has its address, so that it can stay while others run."""
        return self._server.own_port

    def start(self) -> None:
        """Starts the server unless it runs, and does not wait for it.

        Another server at its address ends first.
        """
        if self._process is not None:
            return
        url, command, environment = self._server.url, self._program.command, self._environment
        if self.own_port:
            port = self._choose_port()
            url, command = filled(url, port), tuple(filled(word, port) for word in command)
            environment = filled_environment(environment, self._program.environment, port)
        else:
            for other in self._siblings:
                other.close()
            self._refuse_a_stranger()
        self._endpoint = Endpoint(replace(self._server, url=url), None)
        words = [*self._prefix, *command]
        self._process = Process(self._program.name, words, environment, self._guard)

    def prepare(self) -> None:
        """Starts the server unless it runs, and waits until it is warm."""
        if self._is_warm:
            assert self._process is not None
            if self._process.popen.poll() is not None:
                raise self._process.died(" between two segments")
        left = _PORTS
        while not self._is_warm:
            left -= 1
            self.start()
            try:
                self._endpoint = replace(self._endpoint, model=self._wait_for_model())
                self._warm()
                self._is_warm = True
            except ProgramFailedError:
                if not (left and self._has_lost_its_port()):
                    raise

    def ask_to_end(self) -> None:
        """Sends SIGTERM to the server if it runs; `close` does the rest."""
        if self._process is not None:
            self._process.ask_to_end()

    def service_seconds(self) -> float:
        """The median seconds of an answer of medium length, one request at a time."""
        found = [answer for _ in range(_TIMED_REQUESTS) for answer in self._ask([0.5])]
        return statistics.median(each.ended - each.began for each in found)

    def _warm(self) -> None:
        """Has the server answer requests one at a time, and then several together.

        The first answers of each kind are slower than all others, and the server of one mode starts
        more often than that of another.
        """
        self.service_seconds()
        self._ask([at / (_WARM_TOGETHER - 1) for at in range(_WARM_TOGETHER)])

    def _ask(self, lengths: Sequence[float]) -> list[Answer]:
        """The answers to requests that are sent together.

        Args:
            lengths: of each request, from 0 for the shortest prompt and answer to 1 for the
                longest.
        """
        tokens = self._program.tokens
        assert tokens is not None and self._process is not None
        endpoint, name = self._endpoint, self._next_segment()
        requested = []
        for number, at in enumerate(lengths):
            prompt, output = (
                round(least + at * (most - least)) for least, most in (tokens.prompt, tokens.output)
            )
            requested.append(Request(time.monotonic(), prompt, output, number))

        async def ask() -> list[Answer]:
            return await asyncio.gather(
                *(completions.complete(endpoint, request, name) for request in requested)
            )

        limit = self._scenario.start_timeout
        try:
            return event_loop.run(lambda: asyncio.wait_for(ask(), limit))
        except TimeoutError:
            raise self._process.failed(f"did not answer a request within {limit:.0f} s") from None
        except ServerError as error:
            raise self._failed(error) from error

    def record_kernels(self) -> None:
        pass

    def begin(self, assignment: Assignment) -> None:
        assert self._program.tokens is not None
        segment, arrivals = assignment.segment, self._program.arrivals
        self._assignment = assignment
        endpoint, name = self._endpoint, self._next_segment()
        with delayed_signals():  # so that `close` finds the load
            self._load = OpenLoop(
                lambda request: completions.complete(endpoint, request, name),
                requests(
                    arrivals.process,
                    self.rate,
                    segment.start,
                    segment.over - segment.start,
                    assignment.seed,
                    (self._program.tokens.prompt, self._program.tokens.output),
                    arrivals.trace,
                    assignment.skip,
                ),
            )

    def mark(self) -> None:
        pass

    def finish(self) -> dict[str, Any]:
        assert self._load is not None and self._assignment is not None
        segment: Segment = self._assignment.segment
        try:
            found = self._load.answers(segment.over + self._scenario.answer_timeout)
        except ServerError as error:
            raise self._failed(error) from error
        self._load = None
        # How long the server worked, it alone knows.
        measured = answers.measurements(found, segment) | {"busy_seconds": None}
        if self._assignment.spans:
            measured["spans"] = answers.spans(found, segment)
        return measured

    def close(self) -> None:
        """Ends the load and the server: SIGTERM first, then SIGKILL."""
        if self._load is not None:
            self._load.cancel()
        self._load, self._is_warm = None, False
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.terminate(_GRACE_SECONDS)
        finally:
            process.__exit__()

    def _next_segment(self) -> int:
        """A number that no earlier requests to this server had."""
        self._sent += 1
        return self._sent

    def _failed(self, error: ServerError) -> ProgramFailedError:
        """The failure of a server; that it has ended says more than that it does not answer."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.popen.wait(timeout=_END_SECONDS if isinstance(error, LostError) else 0)
            return self._process.died(f" ({error})")
        return self._process.failed(str(error))

    def _choose_port(self) -> int:
        try:
            return self._ports.choose(self._server.url)
        except OSError as error:
            what = f"was not started: there is no free port: {error.strerror}"
            raise ProgramFailedError(self._program.name, what) from error

    def _has_lost_its_port(self) -> bool:
        """Ends a server that did not start; returns whether another program has its port."""
        assert self._process is not None
        if not self.own_port or self._process.popen.poll() is None:
            return False
        self.close()
        return is_taken(self._endpoint.server.url)

    def _refuse_a_stranger(self) -> None:
        """Raises ProgramFailedError if another program has the address of the server."""
        try:
            event_loop.run(lambda: _connect(self._server.url))
        except OSError:
            return
        raise ProgramFailedError(
            self._program.name,
            f"was not started: another program answers at {self._server.url}",
        )

    def _wait_for_model(self) -> str | None:
        """Waits until the server answers; returns the model that it serves."""
        assert self._process is not None
        url = self._endpoint.server.url
        models = url.removesuffix("/completions").removesuffix("/chat") + "/models"
        timeout = self._scenario.start_timeout
        deadline = time.monotonic() + timeout
        while True:
            if self._process.popen.poll() is not None:
                raise self._process.died(f" before it answered at {url}")
            try:
                status, text = event_loop.run(
                    lambda: asyncio.wait_for(_get(models), _PROBE_SECONDS)
                )
                what = f"answered {status}"
            except (ServerError, TimeoutError) as error:
                status, text, what = _LOADING, b"", str(error) or "did not answer"
            if status != _LOADING:
                break
            if time.monotonic() > deadline:
                raise self._process.failed(f"{what} at {models} for {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)
        with contextlib.suppress(ValueError, LookupError, TypeError):
            return str(json.loads(text)["data"][0]["id"])
        return None  # The scenario may name a model, and some servers need none.


async def _connect(url: str) -> None:
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    writer.transport.abort()


async def _get(url: str) -> tuple[int, bytes]:
    async with send(url) as response:
        return response.status, b"\n".join([line async for line in response.lines()])
