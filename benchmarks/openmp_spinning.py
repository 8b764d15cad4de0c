"""What it costs a program alone how long its idle OpenMP workers spin: decision 4.

Each figure is the throughput (steps a second) of a process of its own, by that with the default.
Prints JSON. Run it where nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from giveway.bench.machine import machine, versions

COUNTS = (None, 1000, 10_000, 30_000, 100_000)
"""Of ``GOMP_SPINCOUNT``; None: not set."""
MODELS = ("resnet18", "squeezenet1_1", "mobilenet_v2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--counts", nargs="*", type=int)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", metavar="MODEL", help="what a process of its own does")
    options = parser.parse_args()
    if options.measure:
        print(measure(options.measure, options.seconds))
        return
    counts = [None, *options.counts] if options.counts else COUNTS
    found: dict[str, dict[str, list[float]]] = {}
    for model in options.models:
        by_count = found[model] = {str(count or "default"): [] for count in counts}
        for _ in range(options.repeats):
            for count in counts:
                by_count[str(count or "default")].append(run(model, count, options.seconds))
    medians = {
        model: {count: statistics.median(values) for count, values in by_count.items()}
        for model, by_count in found.items()
    }
    result = {
        "schema": 1,
        "benchmark": "openmp_spinning",
        "machine": machine(),
        "versions": versions(),
        "steps_per_s": found,
        "of_default": {
            model: {count: round(value / each["default"], 3) for count, value in each.items()}
            for model, each in medians.items()
        },
    }
    print(json.dumps(result, indent=2))


def run(model: str, count: int | None, seconds: float) -> float:
    """Steps a second of a process in which workers spin for that long."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    if count is not None:
        environment["GOMP_SPINCOUNT"] = str(count)
    command = [sys.executable, __file__, "--measure", model, "--seconds", str(seconds)]
    return float(subprocess.check_output(command, env=environment, text=True))


def measure(model: str, seconds: float) -> float:
    """Inferences a second, of one image of 96 x 96, after a second of warm-up."""
    import torch

    from giveway.bench.torchvision_fix import import_torchvision

    network = getattr(import_torchvision().models, model)().eval()
    image = torch.zeros(1, 3, 96, 96)
    with torch.inference_mode():
        for length in (1.0, seconds):
            steps, began = 0, time.perf_counter()
            while time.perf_counter() - began < length:
                network(image)
                steps += 1
            rate = steps / (time.perf_counter() - began)
    return round(rate, 2)


if __name__ == "__main__":
    main()
