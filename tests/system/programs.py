"""Torch programs for the tests. ``python programs.py NAME`` prints values for one test."""

from __future__ import annotations

import gc
import hashlib
import json
import select
import sys
import tempfile
import warnings
from pathlib import Path

VERIFIED = ("import", "matmul", "transformer", "mixed", "googlenet", "mobilenet_v2-adam")
"""Of `giveway verify`, some of each phase; all of them are in `make verify`."""


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
    """All that has to come to the same numbers with giveway as without, as JSON."""
    import torch

    found = {"workers": _workers(), "training": _training()}
    found |= {f"check {name}": _check(name) for name in VERIFIED}
    torch.set_num_threads(1)
    found["training by one thread"] = _training()
    print(json.dumps(found))


def _training() -> str:
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
    return digest.hexdigest()


def _workers() -> float:
    """The sum of the results of a DataLoader's forked workers."""
    import torch

    class Data(torch.utils.data.Dataset):  # type: ignore[type-arg,misc]
        def __len__(self) -> int:
            return 32

        def __getitem__(self, index: int) -> torch.Tensor:
            return torch.full((64, 64), float(index)) @ torch.ones(64, 64)

    model = _model()
    model(torch.randn(4, 3, 32, 32))  # the parent has a task before it forks
    loader = torch.utils.data.DataLoader(Data(), batch_size=4, num_workers=2)
    return sum(float(batch.sum()) for batch in loader)


def _check(name: str) -> str:
    """A hash of the result of a check of ``giveway verify``."""
    import torch

    from giveway.verify import check, values

    (found,) = (each for _, each in check.builtin() if each.name == name)
    torch.manual_seed(20)
    torch.set_deterministic_debug_mode("warn")
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values.write(Path(folder), found.run(check.Place(torch.device("cpu"), 20)))
        for output, dtype, array in values.read(Path(folder)):
            digest.update(f"{output} {dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def compiled() -> None:
    """A compiled model: how many graphs there were, and how often it fell back to Python.

    With several threads, and with one; then without the C++ compiler, which takes long.
    """
    import torch
    from torch._dynamo.utils import counters

    found = []
    for threads, backend in ((2, "inductor"), (1, "aot_eager")):
        torch.set_num_threads(threads)
        torch._dynamo.reset()
        counters.clear()
        model = torch.compile(
            torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.GELU()), backend=backend
        )
        for _ in range(3):
            with torch.no_grad():
                model(torch.randn(64, 64))
        found.append({"graphs": counters["stats"]["unique_graphs"], **counters["graph_break"]})
    print(json.dumps(found))


def busy() -> None:
    """Computes until it is killed; from the end of its input on, by one thread."""
    import torch

    model = _model()
    data = torch.randn(8, 3, 32, 32)
    model(data)
    print("ready", flush=True)
    while True:
        model(data).sum().backward()
        if torch.get_num_threads() > 1 and select.select([sys.stdin], [], [], 0)[0]:
            torch.set_num_threads(1)
            print("one thread", flush=True)


def rank() -> None:
    """A rank of a data-parallel training over gloo; the first one prints a hash of the result."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    model = torch.nn.parallel.DistributedDataParallel(_model())  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(dist.get_rank())
    for _ in range(10):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 32, 32)).square().mean().backward()
        optimizer.step()
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    if dist.get_rank() == 0:
        print(digest.hexdigest())
    # Where a thread of gloo lets go of a tensor while Python ends, torch aborts: in 3 of 24 runs.
    # The model keeps the group, and is part of a cycle.
    del model, optimizer, parameter
    gc.collect()
    dist.destroy_process_group()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
