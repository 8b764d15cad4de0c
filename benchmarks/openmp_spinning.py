"""What it costs a program alone how long its idle OpenMP workers spin, and giveway: decision 4.

One process for each setting, and all of them compute in turn, in an order that changes, while the
others sleep. Each figure is the throughput (steps a second) of one turn; the ratios are of turns of
one round. Prints JSON. Run it where nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from giveway.bench.machine import machine, versions

COUNTS = (10_000, 30_000, 100_000)
"""Of ``GOMP_SPINCOUNT``."""
MODELS = ("resnet18", "squeezenet1_1", "densenet121", "googlenet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--counts", nargs="*", type=int, default=COUNTS)
    parser.add_argument("--seconds", type=float, default=0.7, help="of one turn")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--other", help="another version's giveway command: one more setting")
    parser.add_argument("--answer", metavar="MODEL", help="what one of the processes does")
    options = parser.parse_args()
    if options.answer:
        answer(options.answer)
        return
    where = {"machine": machine(), "versions": versions()}
    found = {model: measure(model, options) for model in options.models}
    result = {
        "schema": 2,
        "benchmark": "openmp_spinning",
        **where,
        "seconds": options.seconds,
        "steps_per_s": found,
        "of_default": {model: ratios(turns) for model, turns in found.items()},
    }
    print(json.dumps(result, indent=2))


def measure(model: str, options: argparse.Namespace) -> dict[str, list[float]]:
    """Steps a second of every turn of every setting."""
    command = [sys.executable, __file__, "--answer", model]
    ours = str(Path(sys.executable).with_name("giveway"))
    clean = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    with tempfile.TemporaryDirectory() as folder:
        settings = {"default": (command, clean)}
        settings |= {str(n): (command, clean | {"GOMP_SPINCOUNT": str(n)}) for n in options.counts}
        for name, giveway in (("giveway", ours), ("other giveway", options.other)):
            if giveway is not None:
                # Gate pages of its own: it has the device to itself.
                own = clean | {"GIVEWAY_DIR": f"{folder}/{name}"}
                settings[name] = ([giveway, "run", "--device", "cpu", "--", *command], own)
        processes = {
            name: subprocess.Popen(
                argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for name, (argv, env) in settings.items()
        }
        turns: dict[str, list[float]] = {name: [] for name in settings}
        try:
            for process in processes.values():
                ask(process, 1.0)  # warm-up
            for _ in range(options.rounds):
                for name in random.sample(list(processes), len(processes)):
                    turns[name].append(ask(processes[name], options.seconds))
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
    return turns


def ask(process: subprocess.Popen[str], seconds: float) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{seconds}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def answer(model: str) -> None:
    """Does inferences of one image of 96 x 96 for as many seconds as each line says."""
    import torch

    from giveway.bench.torchvision_fix import import_torchvision

    network = getattr(import_torchvision().models, model)().eval()
    image = torch.zeros(1, 3, 96, 96)
    with torch.inference_mode():
        for line in sys.stdin:
            steps, began = 0, time.perf_counter()
            while time.perf_counter() - began < float(line):
                network(image)
                steps += 1
            print(steps / (time.perf_counter() - began), flush=True)


def ratios(turns: dict[str, list[float]]) -> dict[str, list[float]]:
    """Of each setting by the default in the same round: lower quartile, median, upper quartile."""
    of_default = {
        name: [value / base for value, base in zip(values, turns["default"], strict=True)]
        for name, values in turns.items()
    }
    return {
        name: [round(quartile, 3) for quartile in statistics.quantiles(values, n=4)]
        for name, values in of_default.items()
    }


if __name__ == "__main__":
    main()
