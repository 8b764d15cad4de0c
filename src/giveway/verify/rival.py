"""A rival: bursts of work with pauses between them, in tasks that come and go.

``python -m giveway.verify.rival DEVICE PARENT_PID SEED`` says a word when it has done its first
work, and ends at SIGTERM.
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
"""In each of its tasks."""
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
    said = False
    while True:
        # Its priority is that of the process: only the task is another one each time.
        thread = threading.Thread(target=_task, args=(matrix, dice), daemon=True)
        thread.start()
        thread.join()
        if not said:
            said = bool(os.write(1, b"!"))


def _task(matrix: object, dice: random.Random) -> None:
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
