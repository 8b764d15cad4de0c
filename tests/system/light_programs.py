"""Programs for what stands in for torch (`tests/system/light`): each of its launches is a region.

Run as ``python light_programs.py NAME``.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import torch


def busy() -> None:
    """Launches until it is killed."""
    print("ready", flush=True)
    while True:
        torch.launch()


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
    globals()[sys.argv[1]]()
