"""Measures actors on two Ray nodes that share the cpu device of this machine, and their start.

An urgent actor answers requests (ResNet-18, one image) with fixed due times. Another actor, on the
other node, trains ResNet-50 without a pause. Each round has three modes, one after the other: the
urgent actor alone, both without giveway (native), both with `giveway.ray.options`. Two latencies
count from when a request was due: until the actor has the answer and, for requests that a caller
sends through Ray, until the caller has the answer.

Start times count from the request for an actor to the answer of its first method. There are three
kinds: a worker that Ray keeps ready ("ready"), a new worker for a runtime environment ("fresh"),
and a new worker under giveway ("giveway").

Prints JSON with every single time. Needs giveway[torch], giveway[ray] and an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray

import giveway.ray
from giveway.bench.arrivals import due_times
from giveway.devices.machine import machine, versions
from giveway.results.stats import estimate, latency_summary, percentile

URGENT = ("resnet18", "infer", {"batch": 1, "image": 96})
OTHER = ("resnet50", "train", {"batch": 4, "image": 96})
MODES = ("alone", "native", "giveway")
HEAD_SECONDS = 1.0
"""The head of each segment, which is not counted."""


class Program:
    """One of the two programs, as an actor."""

    def __init__(self, model: str, task: str, size: dict[str, int]) -> None:
        from giveway.models import build

        self._work = build.work(model, task, size, "cpu")
        for _ in range(3):
            self._work()

    def request(self) -> None:
        """Answers one request."""
        self._work()

    def serve(self, moments: list[float]) -> list[float]:
        """Answers a request at each of the due times; returns their latencies in seconds."""
        return open_loop(moments, self._work)

    def train(self, until: float) -> int:
        """Trains until a time on the monotonic clock; returns the number of batches."""
        done = 0
        while time.monotonic() < until:
            self._work()
            done += 1
        return done


def open_loop(moments: list[float], work: Callable[[], object]) -> list[float]:
    latencies = []
    for due in moments:
        time.sleep(max(0.0, due - time.monotonic()))
        work()
        latencies.append(time.monotonic() - due)
    return latencies


@contextmanager
def two_nodes() -> Iterator[None]:
    from ray.cluster_utils import Cluster

    os.environ.update({"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"})
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as folder:
        os.environ["GIVEWAY_DIR"] = f"{folder}/pages"
        head = {"temp_dir": f"{folder}/ray", "include_dashboard": False}
        cluster = Cluster(head_node_args={**head, **node("first")}, initialize_head=True)
        try:
            cluster.add_node(**node("second"))
            ray.init(cluster.address, log_to_driver=False, logging_level="error")
            yield
        finally:
            ray.shutdown()
            cluster.shutdown()


def node(name: str) -> dict[str, Any]:
    return {"num_cpus": 4, "resources": {name: 10}, "object_store_memory": 80 << 20}


def start(program: tuple[str, str, dict[str, int]], on: str, priority: int | None) -> Any:
    """Starts an actor that uses all cores; without a priority, it runs without giveway."""
    cores = {"env_vars": {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}}
    plain = {"num_cpus": 1, "resources": {on: 1}, "runtime_env": cores}
    options = plain
    if priority is not None:
        options = giveway.ray.options(priority, device="cpu", **plain)
    return ray.remote(Program).options(**options).remote(*program)


def latencies(rounds: int, seconds: float, rate: float) -> dict[str, Any]:
    actors = {
        "alone": (start(URGENT, "first", None), None),
        "giveway": (start(URGENT, "first", 10), start(OTHER, "second", 0)),
    }
    actors["native"] = (actors["alone"][0], start(OTHER, "second", None))
    for urgent, other in actors.values():
        ray.get([urgent.request.remote(), *([other.train.remote(0)] if other else [])])
    raw: dict[str, Any] = {mode: {"actor": [], "caller": [], "batches": []} for mode in MODES}
    for number in range(rounds):
        for mode in MODES:
            print(f"round {number + 1}: {mode}", file=sys.stderr)
            urgent, other = actors[mode]
            for side in ("actor", "caller"):
                begin = time.monotonic() + 0.5
                due = list(due_times("fixed", rate, begin, HEAD_SECONDS + seconds, 0))
                work = other.train.remote(due[-1]) if other else None
                if side == "actor":
                    took = ray.get(urgent.serve.remote(due))
                else:
                    took = open_loop(due, lambda of=urgent: ray.get(of.request.remote()))
                raw[mode][side].append(took[sum(each < begin + HEAD_SECONDS for each in due) :])
                if work is not None:
                    raw[mode]["batches"].append(ray.get(work) / (due[-1] - begin))
    return {
        "seconds": seconds,
        "rate": rate,
        "modes": {mode: summary(raw[mode], raw["alone"]) for mode in MODES},
        "raw": raw,
    }


def summary(mode: dict[str, Any], alone: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        side: {
            **latency_summary([second * 1e6 for took in mode[side] for second in took]),
            "p99_ms_by_round": [round(1e3 * p99([took]), 1) for took in mode[side]],
            "p99_by_alone": estimate(
                [
                    p99([took]) / p99([base])
                    for took, base in zip(mode[side], alone[side], strict=True)
                ]
            ),
        }
        for side in ("actor", "caller")
    }
    if mode["batches"]:
        found["batches_per_second"] = round(statistics.fmean(mode["batches"]), 2)
    return found


def p99(rounds: list[list[float]]) -> float:
    return percentile([second for took in rounds for second in took], 99)


class Nothing:
    """An actor that does nothing."""

    def answer(self) -> None: ...


def starts(count: int) -> dict[str, Any]:
    took: dict[str, list[float]] = {"ready": [], "fresh": [], "giveway": []}
    for number in range(count + 1):
        own = {"env_vars": {"NUMBER": str(number)}}  # otherwise Ray would reuse the last worker
        kinds = {
            "ready": {"num_cpus": 0},
            "fresh": {"num_cpus": 0, "runtime_env": own},
            "giveway": giveway.ray.options(device="cpu", num_cpus=0, runtime_env=own),
        }
        for how, options in kinds.items():
            began = time.perf_counter()
            actor = ray.remote(Nothing).options(**options).remote()
            ray.get(actor.answer.remote())
            took[how].append(time.perf_counter() - began)
            ray.kill(actor)
            time.sleep(1.5)  # meanwhile Ray prepares the next worker
    counted = {how: times[1:] for how, times in took.items()}
    medians = {how: statistics.median(times) for how, times in counted.items()}
    return {
        "unit": "s",
        **{how: round(median, 3) for how, median in medians.items()},
        "giveway_adds": round(medians["giveway"] - medians["fresh"], 3),
        "raw": counted,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=10, help="length of a segment; a round has six"
    )
    parser.add_argument("--rate", type=float, default=15, help="requests per second")
    parser.add_argument("--starts", type=int, default=15, help="starts of each kind")
    options = parser.parse_args()
    where = {"machine": machine(), "versions": {**versions(), "ray": ray.__version__}}
    with two_nodes():
        result = {
            "schema": 1,
            "benchmark": "ray_actors",
            **where,
            "load_average": os.getloadavg(),
            "latencies": latencies(options.rounds, options.seconds, options.rate),
            "starts": starts(options.starts),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
