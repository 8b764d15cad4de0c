"""The program that the bench measures: plain PyTorch, controlled over a pipe.

``python -m giveway.bench.program DEVICE PARENT_PID`` reads one command per line, a JSON list of a
verb and its arguments, and answers each command with one line of JSON. Importing torch takes
seconds, so a program starts once and then runs many segments. Between segments the program blocks
in a read and costs nothing. The program does not use giveway itself.

==========================  =====================================================================
``load MODEL TASK SIZE      builds the model and its input; runs on a stream of that priority unless
STREAM LENGTHS``            STREAM is null; LENGTHS are those of prompts and answers, or null
``time N SECONDS``          runs the model N times or for SECONDS; returns the seconds of each run
``device N``                runs the model N times; returns the seconds of device time of one
                            run, or null if they are unknown
``serve SEGMENT PROCESS     serves requests; returns the fields of a record
RATE SEED TRACE SKIP``      (of a model with LENGTHS, several at a time)
``repeat SEGMENT``          runs batch after batch; returns the same
``record_kernels``          records the kernels on a GPU until the next ``serve`` or ``repeat``,
                            which returns their periods
==========================  =====================================================================

SEGMENT is a list: start, head, counted seconds, tail, and whether to return spans.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from giveway.bench import answers, batching
from giveway.bench.arrivals import due_times
from giveway.bench.kernels import Kernels
from giveway.bench.loops import Run, Segment, Work, repeat, serve
from giveway.bench.requests import requests
from giveway.models import build
from giveway.scenarios.traces import Arrival

Lengths = Sequence[Sequence[int]]
"""The least and the most tokens of prompts, and those of answers."""
Stream = Callable[[], contextlib.AbstractContextManager[object]]

_PR_SET_PDEATHSIG = 1


class Program:
    """A model on a torch device, with a method for each command."""

    def __init__(self, device: str) -> None:
        import torch  # noqa: F401 - imported now, so that an error appears at the start

        self._device = device
        self._work: Work = lambda: None
        self._engine: batching.Engine | None = None
        self._lengths: Lengths = ((1, 1), (1, 1))
        self._stream: Stream = contextlib.nullcontext
        self._kernels: Kernels | None = None

    def load(
        self,
        model: str,
        task: str,
        size: dict[str, int],
        stream: int | None,
        lengths: Lengths | None,
    ) -> dict[str, Any]:
        if lengths is None:
            self._work = build.work(model, task, size, self._device)
        else:
            longest = {"length": sum(most for _, most in lengths)}
            engine = build.engine(model, {**size, **longest}, self._device)
            prompt, output = (sum(each) // 2 for each in lengths)
            self._engine, self._lengths = engine, lengths
            self._work = lambda: batching.one(engine, prompt, output)
        self._stream = contextlib.nullcontext if stream is None else _stream(stream)
        return {}

    def time(self, count: int, most: float) -> dict[str, Any]:
        seconds: list[float] = []
        while len(seconds) < count and sum(seconds) < most:
            began = time.monotonic()
            with self._stream():
                self._work()
            seconds.append(time.monotonic() - began)
        return {"seconds": seconds}

    def device(self, count: int) -> dict[str, Any]:
        self.record_kernels()
        recording, self._kernels = self._kernels, None
        if recording is None:
            return {"seconds": None}
        with self._stream():
            for _ in range(count):
                self._work()
        total = recording.busy()
        return {"seconds": None if total is None else total / count}

    def serve(
        self,
        arguments: Sequence[Any],
        process: str,
        rate: float,
        seed: int,
        trace: Sequence[Sequence[Any]],
        skip: float,
    ) -> dict[str, Any]:
        *times, spans = arguments
        segment = Segment(*times)
        seconds = segment.over - segment.start
        arrivals = [Arrival(*each) for each in trace]
        if self._engine is not None:
            asked = requests(
                process, rate, segment.start, seconds, seed, self._lengths, arrivals, skip
            )
            with self._stream():
                found, busy = batching.serve(self._engine, segment, asked)
            return self._with_kernels(segment, _batched(found, busy, segment, spans))
        moments = [each.at for each in arrivals]
        due = due_times(process, rate, segment.start, seconds, seed, moments, skip)
        with self._stream():
            run = serve(self._work, segment, due)
        return self._answer(run, segment, spans)

    def repeat(self, arguments: Sequence[Any]) -> dict[str, Any]:
        *times, spans = arguments
        segment = Segment(*times)
        with self._stream():
            run = repeat(self._work, segment)
        return self._answer(run, segment, spans)

    def record_kernels(self) -> dict[str, Any]:
        # Without a working profiler, the kernels remain unknown.
        with contextlib.suppress(Exception):
            self._kernels = Kernels() if self._device == "cuda" else None
        return {}

    def _answer(self, run: Run, segment: Segment, spans: bool) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "latencies_us": [round(latency * 1e6, 1) for latency in run.latencies],
            "busy_seconds": round(run.busy, 6),
            "done": round(run.done, 4),
        }
        if run.services:
            answer["service_us"] = [round(service * 1e6, 1) for service in run.services]
        if spans:
            answer["spans"] = [[round(moment, 6) for moment in span] for span in run.spans]
        return self._with_kernels(segment, answer)

    def _with_kernels(self, segment: Segment, answer: dict[str, Any]) -> dict[str, Any]:
        if self._kernels is not None:
            answer["device"] = self._kernels.stop(segment.start)
            self._kernels = None
        return answer


def _batched(
    found: Sequence[answers.Answer], busy: float, segment: Segment, spans: bool
) -> dict[str, Any]:
    """The fields of a record of requests that were served together."""
    measured = answers.measurements(found, segment)
    measured["service_us"] = answers.services_us(found, segment)
    measured["busy_seconds"] = round(busy, 6)
    if spans:
        measured["spans"] = answers.spans(found, segment)
    return measured


def _stream(priority: int) -> Stream:
    import torch

    torch.cuda.synchronize()  # the default stream has built the model
    stream = torch.cuda.Stream(priority=priority)
    return lambda: torch.cuda.stream(stream)


def main() -> None:
    device, parent = sys.argv[1:]
    # A killed parent cannot end this program. A program that is held at a gate or runs a segment
    # does not read the end of its input either.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        return  # The parent ended before prctl.
    # Output of libraries goes to stderr, so that it cannot be mistaken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    program = Program(device)
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "load": program.load,
        "time": program.time,
        "device": program.device,
        "serve": program.serve,
        "repeat": program.repeat,
        "record_kernels": program.record_kernels,
    }
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(commands[verb](*arguments)), file=answers)


if __name__ == "__main__":
    main()
