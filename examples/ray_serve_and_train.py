"""A Ray Serve model with a latency goal, beside a Ray Train loop on the same devices.

    python examples/ray_serve_and_train.py
    python examples/ray_serve_and_train.py --address auto --rate 30 --goal 50

Three times: the model alone, with the training beside it, and with both under giveway. The only
difference is `giveway.ray.options`. Prints a table and, to --raw, every single latency as JSON.

On a CPU most of what happens without giveway is that OpenMP's idle threads spin against each other.

Needs giveway[ray], torch and ray[serve,train]. Without --address it starts Ray here. The training
tells of its batches in a folder of this machine, so it has to be placed here; if it is not, this
says so after two minutes.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import ray
import torch
from ray import serve
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

import giveway.ray

PATIENCE = 120.0
"""Seconds in which the training does its first batch, or ends."""
THREADS = {"env_vars": {"OMP_NUM_THREADS": "2"}}
MODES = {"alone": "the model alone", "native": "with training", "giveway": "both under giveway"}


def network(layers: int) -> torch.nn.Module:
    """Convolutions: a classifier of 1,000 classes, with random weights."""
    torch.manual_seed(0)
    body = [torch.nn.Conv2d(3, 64, 3, stride=2, padding=1), torch.nn.ReLU()]
    for _ in range(layers):
        body += [torch.nn.Conv2d(64, 64, 3, padding=1), torch.nn.BatchNorm2d(64), torch.nn.ReLU()]
    return torch.nn.Sequential(
        *body, *(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()), torch.nn.Linear(64, 1000)
    )


class Model:
    """Classifies one image."""

    def __init__(self) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.net = network(8).eval().to(self.device)

    @torch.inference_mode()
    def __call__(self) -> int:
        image = torch.rand(1, 3, 96, 96, device=self.device)
        return int(self.net(image).argmax())


def train_loop(config: dict[str, Any]) -> None:
    """Trains until it is told to stop, and writes down how many batches it has done."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = network(16).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    answers = torch.zeros(16, dtype=torch.int64, device=device)
    done, folder = 0, Path(config["folder"])
    while not (folder / "stop").exists():
        images = torch.rand(16, 3, 96, 96, device=device)
        loss = torch.nn.functional.cross_entropy(net(images), answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done += 1
        (folder / "done").write_text(str(done))


def options(mode: str, priority: int) -> dict[str, Any]:
    """What Ray is told about a worker: all that giveway changes."""
    own: dict[str, Any] = {"num_cpus": 1, "runtime_env": THREADS}
    if mode == "giveway":
        return giveway.ray.options(priority, **own)
    return own | ({"num_gpus": 0.5} if ray.cluster_resources().get("GPU") else {})


def trainer(mode: str, folder: Path) -> TorchTrainer:
    asked = options(mode, 0)
    resources = giveway.ray.worker_resources(asked)
    return TorchTrainer(
        train_loop,
        train_loop_config={"folder": str(folder)},
        scaling_config=ScalingConfig(
            num_workers=1, use_gpu="GPU" in resources, resources_per_worker=resources
        ),
        run_config=RunConfig(storage_path=str(folder), worker_runtime_env=asked["runtime_env"]),
    )


def measure(mode: str, rate: float, seconds: float) -> dict[str, Any]:
    """Seconds that each request took, from when it was due, and the batches per second."""
    model = serve.deployment(Model, ray_actor_options=options(mode, 10))
    handle = serve.run(model.bind(), name=mode, route_prefix=None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training = None
        if mode != "alone":
            training = threading.Thread(target=trainer(mode, folder).fit, daemon=True)
            training.start()
            wait_for_a_batch(training, folder)
        for _ in range(10):
            handle.remote().result()
        done = batches(folder)
        begin = time.monotonic() + 0.1
        latencies = []
        for number in range(round(rate * seconds)):
            due = begin + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            handle.remote().result()
            latencies.append(time.monotonic() - due)
        trained = (batches(folder) - done) / (time.monotonic() - begin)
        if training:
            (folder / "stop").touch()
            training.join(PATIENCE)
    serve.delete(mode)
    return {"latencies": latencies, "batches_per_second": trained}


def wait_for_a_batch(training: threading.Thread, folder: Path) -> None:
    """Returns when the training has written down its first one; ends this program where it will
    not."""
    until = time.monotonic() + PATIENCE
    while not (folder / "done").exists():
        if not training.is_alive():
            raise SystemExit("the training ended before its first batch: Ray has said why")
        if time.monotonic() > until:
            raise SystemExit(
                f"no batch of the training in {PATIENCE:.0f} s: it waits for a place, or Ray has"
                f" placed it on another node, which does not have {folder}"
            )
        time.sleep(0.1)


def batches(folder: Path) -> int:
    file = folder / "done"
    return int(file.read_text() or 0) if file.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--address", default="local", help="of a cluster, as for ray.init")
    parser.add_argument("--rate", type=float, default=10, help="requests a second")
    parser.add_argument("--goal", type=float, default=100, help="milliseconds")
    parser.add_argument("--seconds", type=float, default=20, help="for each of the three")
    parser.add_argument("--raw", type=Path, help="where to write all that was measured")
    said = parser.parse_args()
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    ray.init(said.address, log_to_driver=False, logging_level=logging.ERROR)
    serve.start(http_options={"location": "NoServer"}, logging_config={"log_level": "ERROR"})
    measured = {}
    print(f"{'':20}{'p50':>10}{'p99':>10}{f'within {said.goal:g} ms':>16}{'batches/s':>11}")
    for mode, title in MODES.items():
        measured[mode] = measure(mode, said.rate, said.seconds)
        took = sorted(1e3 * each for each in measured[mode]["latencies"])
        within = sum(each <= said.goal for each in took) / len(took)
        p50, p99 = statistics.median(took), took[max(0, round(len(took) * 0.99) - 1)]
        trained = measured[mode]["batches_per_second"]
        print(f"{title:20}{p50:7.0f} ms{p99:7.0f} ms{within:>16.0%}{trained:>11.2f}", flush=True)
    if said.raw:
        said.raw.write_text(json.dumps({"rate": said.rate, "goal_ms": said.goal, **measured}))
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
