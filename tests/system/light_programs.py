"""Programs for what stands in for torch (`tests/system/light`): each of its launches is a region.

Run as ``python light_programs.py NAME [ARGUMENT]``.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time

import torch


def busy() -> None:
    """Launches until it is killed."""
    print("ready", flush=True)
    while True:
        torch.launch()


def large() -> None:
    """The same, with 2 GB of memory for the kernel to take back."""
    ballast = b"\1" * (2 << 30)
    busy()
    assert ballast


def marks(path: str) -> None:
    """Launches until the program is killed. The file has the end of the last launch."""
    with open(path, "wb") as file:
        print("ready", flush=True)
        while True:
            torch.launch()
            os.pwrite(file.fileno(), struct.pack("d", time.monotonic()), 0)


def two_priorities() -> None:
    """Two threads at two priorities (this one knows of giveway): both come to their end."""
    import giveway

    seen = {}
    both = threading.Barrier(2)

    def other_was_held() -> bool:
        return any(task.name == "other" and task.holds for task in giveway.tasks())

    def work(name: str, priority: int, launches: int) -> None:
        with giveway.task(priority=priority, name=name):
            both.wait()
            end = time.monotonic() + 30
            for _ in range(launches):
                torch.launch()
            # However much later the other one's thread got to run.
            while name == "urgent" and not other_was_held() and time.monotonic() < end:
                torch.launch()
            task = giveway.current()
            assert task is not None
            seen[name] = task

    threads = [
        threading.Thread(target=work, args=("urgent", 10, 100)),
        threading.Thread(target=work, args=("other", 0, 30)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert giveway.current() is None or giveway.current().name != "urgent"
    print(
        json.dumps(
            {
                name: {"priority": task.priority, "thread": task.is_thread, "held": task.holds}
                for name, task in seen.items()
            }
        )
    )


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
