"""A rival of the checks: bursts of work with pauses, in tasks that start and end.

``python -m giveway.verify.rival DEVICE PARENT_PID SEED`` writes one byte to stdout after its first
task, and ends at SIGTERM.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import threading
import time
from typing import Final

_PR_SET_PDEATHSIG = 1
_BURST_SECONDS: Final = (0.005, 0.05)
_PAUSE_SECONDS: Final = (0.0, 0.1)
_BURSTS: Final = 5
"""The number of bursts in each task."""
_SIZE: Final = 512


def main() -> None:
    device, parent, seed = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    import torch

    dice = random.Random(int(seed))
    matrix = torch.randn(_SIZE, _SIZE, device="cpu" if device == "cpu" else "cuda")
    reported = False
    while True:
        # Each thread is a new task with the priority of the process.
        thread = threading.Thread(target=_run_task, args=(matrix, dice), daemon=True)
        thread.start()
        thread.join()
        if not reported:
            reported = bool(os.write(1, b"!"))


def _run_task(matrix: object, dice: random.Random) -> None:
    import torch

    import giveway

    assert isinstance(matrix, torch.Tensor)
    with giveway.task(priority=int(os.environ["GIVEWAY_PRIORITY"])):
        for _ in range(_BURSTS):
            end = time.monotonic() + dice.uniform(*_BURST_SECONDS)
            while time.monotonic() < end:
                torch.mm(matrix, matrix).sum().item()
            time.sleep(dice.uniform(*_PAUSE_SECONDS))


if __name__ == "__main__":
    main()
