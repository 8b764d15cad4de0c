"""What a worker process is that was started with `giveway.ray.options`."""

from __future__ import annotations

import sys
from typing import Any

import giveway.ray
from tests.ray.workers import Busy, Where

PROPER = {"proper": 1}
LIBRARY = "libm.so.6"


def test_an_actor_starts_under_giveway(ray: Any) -> None:
    asked = giveway.ray.options(
        7,
        share=30,
        device="cpu",
        settings={"deadline": "20ms"},
        name="requests",
        num_cpus=1,
        resources=PROPER,
    )
    actor = ray.start(Busy, **asked)
    assert ray.get(actor.work.remote(0.05)) > 0
    task = ray.get(actor.task.remote())
    assert task["pid"] == ray.get(actor.pid.remote())
    assert (task["name"], task["priority"], task["device"]) == ("requests", 7, "cpu")
    assert task["launches"] > 0
    environment = ray.get(actor.environment.remote())
    assert environment["GIVEWAY_ATTRIBUTES"] == "share=30 deadline=20ms"
    assert "libgiveway-cpu.so" in environment["LD_PRELOAD"]


def test_a_task_starts_under_giveway(ray: Any) -> None:
    @ray.remote(**giveway.ray.options(3, device="cpu", resources=PROPER))
    def priority() -> str | None:
        import os

        return os.environ.get("GIVEWAY_PRIORITY")

    assert ray.get(priority.remote()) == "3"


def test_a_users_own_environment_is_kept(ray: Any) -> None:
    own = {"env_vars": {"LD_PRELOAD": LIBRARY, "MINE": "1"}}
    asked = giveway.ray.options(runtime_env=own, device="cpu", resources=PROPER)
    assert own == {"env_vars": {"LD_PRELOAD": LIBRARY, "MINE": "1"}}
    environment = ray.get(ray.start(Where, **asked).environment.remote())
    assert environment["MINE"] == "1"
    hook, of_children, theirs = environment["LD_PRELOAD"].split(":")
    assert hook.endswith("libgiveway-cpu.so")
    assert of_children.endswith("libgiveway-exec.so")
    assert theirs == LIBRARY


def test_a_users_own_python_is_kept(ray: Any) -> None:
    own = {"py_executable": f"env THEIRS=1 {sys.executable}"}
    asked = giveway.ray.options(2, runtime_env=own, device="cpu", resources=PROPER)
    environment = ray.get(ray.start(Where, **asked).environment.remote())
    assert (environment["THEIRS"], environment["GIVEWAY_PRIORITY"]) == ("1", "2")


def test_the_one_that_is_less_urgent_gives_way(ray: Any) -> None:
    """Both nodes are this machine, so their tasks share its device."""
    threads = {"env_vars": {"OMP_NUM_THREADS": "2"}}
    urgent, other = (
        ray.start(
            Busy,
            **giveway.ray.options(priority, device="cpu", runtime_env=threads, resources=PROPER),
        )
        for priority in (10, 0)
    )
    ray.get([urgent.work.remote(0.1), other.work.remote(0.1)])
    mine, theirs = ray.get([urgent.work.remote(3), other.work.remote(3)])
    assert mine > 5 * theirs
    assert ray.get(other.task.remote())["holds"] > 0


def test_a_serve_deployment_starts_under_giveway(ray: Any) -> None:
    from ray import serve

    asked = giveway.ray.options(9, device="cpu", num_cpus=1, resources=PROPER)
    replica = serve.deployment(Served, ray_actor_options=asked)
    try:
        handle = serve.run(replica.bind(), name="served", route_prefix=None)
        assert handle.remote().result(timeout_s=60) == "9"
    finally:
        serve.shutdown()


class Served:
    def __call__(self) -> str | None:
        import os

        return os.environ.get("GIVEWAY_PRIORITY")


def test_train_workers_start_under_giveway(ray: Any, tmp_path: Any) -> None:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    asked = giveway.ray.options(-3, num_cpus=1, resources=PROPER)
    seen = tmp_path / "seen"
    seen.mkdir()

    def loop(config: dict[str, str]) -> None:
        import os
        import pathlib

        pathlib.Path(config["folder"], str(os.getpid())).write_text(os.environ["GIVEWAY_PRIORITY"])

    DataParallelTrainer(
        loop,
        train_loop_config={"folder": str(seen)},
        scaling_config=ScalingConfig(
            num_workers=2, use_gpu=True, resources_per_worker=giveway.ray.worker_resources(asked)
        ),
        run_config=RunConfig(storage_path=str(tmp_path), worker_runtime_env=asked["runtime_env"]),
    ).fit()
    assert [file.read_text() for file in seen.iterdir()] == ["-3", "-3"]
