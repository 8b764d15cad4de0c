"""The program that the bench measures: plain PyTorch, controlled over a pipe.

``python -m giveway.bench.program DEVICE PARENT_PID`` reads one command per line, a JSON list of a
verb and its arguments, and answers each command with one line of JSON. Importing torch takes
seconds, so a program starts once and then runs many segments. Between segments the program blocks
in a read and costs nothing. The program does not use giveway itself.

==========================  =====================================================================
``load MODEL TASK SIZE      builds the model and its input; runs on a stream of that priority unless
STREAM``                    STREAM is null
``time N SECONDS``          runs the model N times or for SECONDS; returns the seconds of each run
``device N``                runs the model N times; returns the seconds of device time of one
                            run, or null if they are unknown
``serve SEGMENT PROCESS     serves requests; returns the fields of ``loops.Run``
RATE SEED TRACE SKIP``
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

from giveway.bench.arrivals import due_times
from giveway.bench.kernels import Kernels
from giveway.bench.loops import Run, Segment, Work, repeat, serve
from giveway.models import build

_PR_SET_PDEATHSIG = 1


class Program:
    """A model on a torch device, with a method for each command."""

    def __init__(self, device: str) -> None:
        import torch  # noqa: F401 - imported now, so that an error appears at the start

        self._device = device
        self._work: Work = lambda: None
        self._kernels: Kernels | None = None

    def load(
        self, model: str, task: str, size: dict[str, int], stream: int | None
    ) -> dict[str, Any]:
        self._work = build.work(model, task, size, self._device)
        if stream is not None:
            self._work = _on_stream(self._work, stream)
        return {}

    def time(self, count: int, most: float) -> dict[str, Any]:
        seconds: list[float] = []
        while len(seconds) < count and sum(seconds) < most:
            began = time.monotonic()
            self._work()
            seconds.append(time.monotonic() - began)
        return {"seconds": seconds}

    def device(self, count: int) -> dict[str, Any]:
        self.record_kernels()
        recording, self._kernels = self._kernels, None
        if recording is None:
            return {"seconds": None}
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
        trace: Sequence[float],
        skip: float,
    ) -> dict[str, Any]:
        *times, spans = arguments
        segment = Segment(*times)
        seconds = segment.over - segment.start
        due = due_times(process, rate, segment.start, seconds, seed, trace, skip)
        return self._answer(serve(self._work, segment, due), segment, spans)

    def repeat(self, arguments: Sequence[Any]) -> dict[str, Any]:
        *times, spans = arguments
        segment = Segment(*times)
        return self._answer(repeat(self._work, segment), segment, spans)

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
        if spans:
            answer["spans"] = [[round(moment, 6) for moment in span] for span in run.spans]
        if self._kernels is not None:
            answer["device"] = self._kernels.stop(segment.start)
            self._kernels = None
        return answer


def _on_stream(work: Work, priority: int) -> Work:
    import torch

    torch.cuda.synchronize()  # the default stream has built the model
    stream = torch.cuda.Stream(priority=priority)

    def run() -> object:
        with torch.cuda.stream(stream):
            return work()

    return run


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
