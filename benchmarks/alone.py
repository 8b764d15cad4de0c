"""Measures what giveway costs a program that is alone on its device. On a CPU, also measures the
spin time of idle OpenMP workers (decision 4).

There is one process for each variant. The processes compute in turn, in an order that changes,
while the others sleep, so that disturbances of the machine affect all variants alike. Each figure
is the throughput (steps per second) of one turn; ratios are between turns of one round. The default
has two processes, whose difference shows the noise. Prints JSON. Run it on an idle machine.
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
from collections.abc import Callable
from pathlib import Path

from giveway.devices.machine import machine, versions

COUNTS = (10_000, 30_000, 100_000)
"""Values of ``GOMP_SPINCOUNT`` to measure on a CPU."""
MODELS = (
    *("resnet50", "resnet18", "mobilenet_v2", "efficientnet_b0", "vit_b_16", "densenet121"),
    *("vgg16", "squeezenet1_1", "alexnet", "googlenet", "resnet18:train", "mobilenet_v2:train"),
)
"""The models of the scenario ``overhead``."""
IMAGE = {"cpu": 96, "cuda": 224}
TRAINING_BATCH = {"cpu": 4, "cuda": 32}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=IMAGE, default="cpu")
    parser.add_argument("--models", nargs="*", default=MODELS, metavar="MODEL[:train]")
    parser.add_argument("--counts", nargs="*", type=int, help="values of GOMP_SPINCOUNT")
    parser.add_argument("--seconds", type=float, default=0.7, help="length of one turn")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--other", help="giveway command of another version, as one more variant")
    parser.add_argument("--answer", action="store_true", help="run as one of the processes")
    options = parser.parse_args()
    if options.answer:
        answer(options.device)
        return
    if options.counts is None:
        options.counts = COUNTS if options.device == "cpu" else ()
    where = {"machine": machine(), "versions": versions()}
    found = measure(options)
    result = {
        "schema": 3,
        "benchmark": "alone",
        **where,
        "device": options.device,
        "seconds": options.seconds,
        "of_default": {model: ratios(turns) for model, turns in found.items()},
        "steps_per_s": {
            model: {name: [round(value, 2) for value in turn] for name, turn in turns.items()}
            for model, turns in found.items()
        },
    }
    print(json.dumps(result, indent=1))


def measure(options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """By model and variant: the steps per second of every turn."""
    command = [sys.executable, __file__, "--answer", "--device", options.device]
    ours = str(Path(sys.executable).with_name("giveway"))
    clean = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    variants = dict.fromkeys(("default", "default again"), (command, clean))
    variants |= {str(n): (command, clean | {"GOMP_SPINCOUNT": str(n)}) for n in options.counts}
    # In memory, because a driver does not accept a page on a disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for name, giveway in (("giveway", ours), ("other giveway", options.other)):
            if giveway is not None:
                # Its own gate pages, so that it is alone on the device.
                own = clean | {"GIVEWAY_DIR": f"{folder}/{name}"}
                run = [giveway, "run", "--device", options.device, "--", *command]
                variants[name] = (run, own)
        processes = {
            name: subprocess.Popen(
                argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for name, (argv, env) in variants.items()
        }
        try:
            return {model: rounds(model, processes, options) for model in options.models}
        finally:
            for process in processes.values():
                process.kill()
                process.wait()


def rounds(
    model: str, processes: dict[str, subprocess.Popen[str]], options: argparse.Namespace
) -> dict[str, list[float]]:
    turns: dict[str, list[float]] = {name: [] for name in processes}
    for process in processes.values():
        request_turn(process, model, 1.0)  # warm-up
    for _ in range(options.rounds):
        for name in random.sample(list(processes), len(processes)):
            turns[name].append(request_turn(processes[name], model, options.seconds))
    print(model, ratios(turns), file=sys.stderr, flush=True)
    return turns


def request_turn(process: subprocess.Popen[str], model: str, seconds: float) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{model} {seconds}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def answer(device: str) -> None:
    """Runs a model for some seconds, both given by a line of stdin; prints the steps per second."""
    from giveway.models import build

    loaded: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        name, seconds = line.split()
        if name not in loaded:
            model, _, task = name.partition(":")
            size = {"batch": TRAINING_BATCH[device] if task else 1, "image": IMAGE[device]}
            loaded = {name: build.work(model, task or "infer", size, device)}
            loaded[name]()
        run = loaded[name]
        steps, began = 0, time.perf_counter()
        while time.perf_counter() - began < float(seconds):
            run()
            steps += 1
        print(steps / (time.perf_counter() - began), flush=True)


def ratios(turns: dict[str, list[float]]) -> dict[str, list[float]]:
    """The ratio of each variant to the default in the same round: the three quartiles."""
    of_default = {
        name: [value / base for value, base in zip(values, turns["default"], strict=True)]
        for name, values in turns.items()
    }
    return {
        name: [round(quartile, 3) for quartile in statistics.quantiles(values, n=4)]
        for name, values in of_default.items()
        if name != "default"
    }


if __name__ == "__main__":
    main()
