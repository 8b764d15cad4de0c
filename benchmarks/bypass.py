"""Checks for each model that all work which reaches an NVIDIA GPU has passed the gate.

Runs under ``giveway run``. CUPTI, through torch's profiler, counts the kernels, copies and memsets
that the device ran for some runs of a model. giveway counts the launches that it admitted
meanwhile. Prints JSON. Exits with 1 if the counts differ, because some work then bypassed the shim.

    giveway run -- python benchmarks/bypass.py [MODEL[:train]]...
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import giveway
from giveway.models import build
from giveway.scenarios import catalog

RUNS = 3
TRAINED = ("resnet18:train", "resnet50:train", "mobilenet_v2:train", "bert:train")
KINDS = {"kernel": "kernels", "gpu_memcpy": "copies", "gpu_memset": "memsets"}


def admitted() -> int:
    """Reads the number of launches, copies and memsets of this process that passed the gate."""
    task = giveway.current()
    if task is None:
        raise SystemExit("giveway counted no launches of this program: start it with giveway run")
    return task.launches


def counted(work: Callable[[], object]) -> dict[str, int]:
    """The counts of CUPTI and of giveway for `RUNS` runs of the work."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    for _ in range(2):  # loads kernels, chooses algorithms, fills the allocator
        work()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        before = admitted()
        for _ in range(RUNS):
            work()
        torch.cuda.synchronize()
        passed = admitted() - before
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_bytes())["traceEvents"]
    kinds = Counter(event.get("cat") for event in events)
    counts = {name: kinds[kind] for kind, name in KINDS.items()}
    return counts | {"device": sum(counts.values()), "giveway": passed}


def main() -> None:
    results = {}
    for name in sys.argv[1:] or (*catalog.SIZES, *TRAINED):
        model, _, task = name.partition(":")
        size = dict(catalog.SIZES[model])
        if task == "train" and "image" in size:
            size["batch"] = 4
        results[name] = counted(build.work(model, task or "infer", size, "cuda"))
    different = [name for name, found in results.items() if found["device"] != found["giveway"]]
    print(json.dumps({"runs": RUNS, "different": different, "models": results}, indent=1))
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
