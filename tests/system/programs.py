"""Ordinary torch programs for the tests: none of them knows of giveway, except where it is said.

Run as ``python programs.py NAME``. Each prints what its test looks at.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time


def _model() -> object:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1),
        torch.nn.BatchNorm2d(16),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3, padding=1),
        torch.nn.Flatten(),
        torch.nn.Linear(16 * 32 * 32, 10),
    )


def numbers() -> None:
    """Forward, backward, optimizer, autocast and inference mode: a hash of every number."""
    import torch

    torch.set_deterministic_debug_mode("error")  # imports less than use_deterministic_algorithms
    model = _model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data = torch.randn(16, 3, 32, 32)
    digest = hashlib.sha256()
    for _ in range(3):
        loss = model(data).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        digest.update(loss.detach().double().numpy().tobytes())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        digest.update(model(data).float().detach().numpy().tobytes())
    with torch.inference_mode():
        digest.update(model.eval()(data).numpy().tobytes())
    for parameter in model.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    print(digest.hexdigest())


def one_thread() -> None:
    """The same computation by one thread, set in the program."""
    import torch

    torch.set_num_threads(1)
    numbers()


def compiled() -> None:
    """A compiled model: how many graphs there were, and how often it fell back to Python."""
    import torch
    from torch._dynamo.utils import counters

    if os.environ.get("ONE_THREAD"):
        torch.set_num_threads(1)
    model = torch.compile(_model())
    data = torch.randn(16, 3, 32, 32)
    for _ in range(3):
        loss = model(data).square().mean()
        loss.backward()
    print(json.dumps({"graphs": counters["stats"]["unique_graphs"], **counters["graph_break"]}))


def workers() -> None:
    """A DataLoader with forked workers, each of which computes too; prints the sum."""
    import torch

    class Data(torch.utils.data.Dataset):  # type: ignore[type-arg,misc]
        def __len__(self) -> int:
            return 32

        def __getitem__(self, index: int) -> torch.Tensor:
            return torch.full((64, 64), float(index)) @ torch.ones(64, 64)

    model = _model()
    model(torch.randn(4, 3, 32, 32))  # the parent has a task before it forks
    loader = torch.utils.data.DataLoader(Data(), batch_size=4, num_workers=2)
    print(sum(float(batch.sum()) for batch in loader))


def busy() -> None:
    """Computes until it is killed; a line for each step, so that a test sees it make progress."""
    import torch

    if os.environ.get("ONE_THREAD"):
        torch.set_num_threads(1)
    ballast = torch.ones(int(os.environ.get("BALLAST_MB", "1")), 1 << 18)
    model = _model()
    data = torch.randn(8, 3, 32, 32)
    model(data)
    print("ready", flush=True)
    while True:
        model(data).sum().backward()
        print(time.monotonic(), flush=True)
        assert ballast[0, 0] == 1


def two_priorities() -> None:
    """Two threads at two priorities (this one knows of giveway): both come to their end."""
    import torch

    import giveway

    model = _model()
    data = torch.randn(8, 3, 32, 32)
    seen = {}

    both = threading.Barrier(2)

    def other_was_held() -> bool:
        return any(task.name == "other" and task.holds for task in giveway.page.Page.open().tasks())

    def work(name: str, priority: int, steps: int) -> None:
        with giveway.task(priority=priority, name=name):
            both.wait()
            end = time.monotonic() + 20
            for _ in range(steps):
                model(data)
            # However much later the other one's thread got to run.
            while name == "urgent" and not other_was_held() and time.monotonic() < end:
                model(data)
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
