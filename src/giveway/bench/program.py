"""The program that is measured: ordinary PyTorch, told over a pipe when to run.

``python -m giveway.bench.program DEVICE PARENT_PID`` reads one command a line, a JSON list of a
verb and its arguments, and answers each with one line of JSON. Importing torch takes seconds, so a
program is started once and then runs many segments; between them it is blocked in a read and costs
nothing. It knows nothing of giveway.

=========================================  ======================================================
``load MODEL TASK SIZE STREAM``            makes the model and its input; with a stream of that
                                           priority unless STREAM is null
``time N SECONDS``                         runs it N times, or until SECONDS have passed; the
                                           seconds that each took
``serve SEGMENT PROCESS RATE SEED TRACE``  requests; what ``loops.Run`` holds
``repeat SEGMENT``                         batch after batch; the same
``watch``                                  records when a GPU works for it, until after the next
                                           of these two, which then says so
=========================================  ======================================================

SEGMENT is start, head, counted seconds, tail, and whether spans are wanted.
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
    """A model on a torch device, and the commands that run it."""

    def __init__(self, device: str) -> None:
        import torch  # noqa: F401 - loaded now, so that a start that fails fails here

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

    def serve(
        self, segment: Sequence[Any], process: str, rate: float, seed: int, trace: Sequence[float]
    ) -> dict[str, Any]:
        *times, spans = segment
        stretch = Segment(*times)
        seconds = stretch.over - stretch.start
        due = due_times(process, rate, stretch.start, seconds, seed, trace)
        return self._answer(serve(self._work, stretch, due), stretch, spans)

    def repeat(self, segment: Sequence[Any]) -> dict[str, Any]:
        *times, spans = segment
        stretch = Segment(*times)
        return self._answer(repeat(self._work, stretch), stretch, spans)

    def watch(self) -> dict[str, Any]:
        # A torch without its profiler, or a driver that does not let it: then it is not known.
        with contextlib.suppress(Exception):
            self._kernels = Kernels() if self._device == "cuda" else None
        return {}

    def _answer(self, run: Run, stretch: Segment, spans: bool) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "latencies_us": [round(latency * 1e6, 1) for latency in run.latencies],
            "busy_seconds": round(run.busy, 6),
            "done": round(run.done, 4),
        }
        if spans:
            answer["spans"] = [[round(moment, 6) for moment in span] for span in run.spans]
        if self._kernels is not None:
            answer["device"] = self._kernels.stop(stretch.start)
            self._kernels = None
        return answer


def _on_stream(work: Work, priority: int) -> Work:
    import torch

    torch.cuda.synchronize()  # what the default stream has built is to be there
    stream = torch.cuda.Stream(priority=priority)

    def run() -> object:
        with torch.cuda.stream(stream):
            return work()

    return run


def main() -> None:
    device, parent = sys.argv[1:]
    # A parent that is killed cannot clean up after itself; a program held at a gate, or in the
    # middle of a segment, would not see the end of its input either.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        return  # It ended before we asked to be told.
    # Whatever a library prints must not look like an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    program = Program(device)
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "load": program.load,
        "time": program.time,
        "serve": program.serve,
        "repeat": program.repeat,
        "watch": program.watch,
    }
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(commands[verb](*arguments)), file=answers)


if __name__ == "__main__":
    main()
