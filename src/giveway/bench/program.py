"""The program that is measured: ordinary PyTorch inference, told over a pipe when to run.

``python -m giveway.bench.program DEVICE PARENT_PID`` reads one command a line and answers each with
one line of JSON. Importing torch takes seconds, so a program is started once and then runs many
segments; between them it is blocked in a read and costs nothing. It knows nothing of giveway.

========================================  =======================================================
``load MODEL BATCH IMAGE``                makes the model and its input
``time N``                                runs it N times; the seconds that each took
``serve START WARM SECONDS PERIOD``       requests; latencies and busy time in seconds
``repeat START WARM SECONDS``             batch after batch; how many
========================================  =======================================================
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable

from giveway.bench.loops import Segment, repeat, serve
from giveway.bench.models import build, images

_PR_SET_PDEATHSIG = 1


class Program:
    """A model on a torch device, and the commands that run it."""

    def __init__(self, device: str) -> None:
        import torch

        self._inference_mode = torch.inference_mode
        self._device = torch.device(device)
        self._name = ""

    def load(self, model: str, batch: str, image: str) -> dict[str, object]:
        if model != self._name:
            self._name, self._model = model, build(model).to(self._device)
        self._input = images(int(batch), int(image)).to(self._device)
        return {}

    def time(self, count: str) -> dict[str, object]:
        seconds = []
        with self._inference_mode():
            for _ in range(int(count)):
                began = time.monotonic()
                self._work()
                seconds.append(time.monotonic() - began)
        return {"seconds": seconds}

    def serve(self, start: str, warm: str, seconds: str, period: str) -> dict[str, object]:
        segment = Segment(float(start), float(warm), float(seconds))
        with self._inference_mode():
            served = serve(self._work, segment, float(period))
        return {"latencies": list(served.latencies), "busy": served.busy}

    def repeat(self, start: str, warm: str, seconds: str) -> dict[str, object]:
        segment = Segment(float(start), float(warm), float(seconds))
        with self._inference_mode():
            return {"batches": repeat(self._work, segment)}

    def _work(self) -> None:
        # Reading the answer is what waits for a device that works asynchronously.
        self._model(self._input).cpu()


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
    commands: dict[str, Callable[..., dict[str, object]]] = {
        "load": program.load,
        "time": program.time,
        "serve": program.serve,
        "repeat": program.repeat,
    }
    for line in sys.stdin:
        verb, *arguments = line.split()
        print(json.dumps(commands[verb](*arguments)), file=answers)


if __name__ == "__main__":
    main()
