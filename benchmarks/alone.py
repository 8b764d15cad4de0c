"""What giveway costs a program that is alone on its device, and on a CPU for how long its idle
OpenMP workers spin: decision 4.

One process for each setting, and all of them compute in turn, in an order that changes, while the
others sleep: what the machine does in a second meets all of them alike. Each figure is the
throughput (steps a second) of one turn; the ratios are of turns of one round. The default is there
twice: what its two processes differ by is chance. Prints JSON. Run it where nothing else runs.
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
"""Of ``GOMP_SPINCOUNT``, on a CPU."""
MODELS = (
    *("resnet50", "resnet18", "mobilenet_v2", "efficientnet_b0", "vit_b_16", "densenet121"),
    *("vgg16", "squeezenet1_1", "alexnet", "googlenet", "resnet18:train", "mobilenet_v2:train"),
)
"""Those of the scenario ``overhead``, and their sizes."""
IMAGE = {"cpu": 96, "cuda": 224}
TRAINING_BATCH = {"cpu": 4, "cuda": 32}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=IMAGE, default="cpu")
    parser.add_argument("--models", nargs="*", default=MODELS, metavar="MODEL[:train]")
    parser.add_argument("--counts", nargs="*", type=int, help="of GOMP_SPINCOUNT")
    parser.add_argument("--seconds", type=float, default=0.7, help="of one turn")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--other", help="another version's giveway command: one more setting")
    parser.add_argument("--answer", action="store_true", help="what one of the processes does")
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
    """Of every model and setting: steps a second of every turn."""
    command = [sys.executable, __file__, "--answer", "--device", options.device]
    ours = str(Path(sys.executable).with_name("giveway"))
    clean = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    settings = dict.fromkeys(("default", "default again"), (command, clean))
    settings |= {str(n): (command, clean | {"GOMP_SPINCOUNT": str(n)}) for n in options.counts}
    # In memory, or a driver would not take a page for its own.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for name, giveway in (("giveway", ours), ("other giveway", options.other)):
            if giveway is not None:
                # Gate pages of its own: it has the device to itself.
                own = clean | {"GIVEWAY_DIR": f"{folder}/{name}"}
                run = [giveway, "run", "--device", options.device, "--", *command]
                settings[name] = (run, own)
        processes = {
            name: subprocess.Popen(
                argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for name, (argv, env) in settings.items()
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
        ask(process, model, 1.0)  # warm-up
    for _ in range(options.rounds):
        for name in random.sample(list(processes), len(processes)):
            turns[name].append(ask(processes[name], model, options.seconds))
    print(model, ratios(turns), file=sys.stderr, flush=True)
    return turns


def ask(process: subprocess.Popen[str], model: str, seconds: float) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{model} {seconds}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def answer(device: str) -> None:
    """Runs the model for as many seconds as each line says."""
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
    """Of each setting by the default in the same round: lower quartile, median, upper quartile."""
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
