"""``giveway submit``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.ray.cluster import LocalCluster

TERMINATED = 128 + signal.SIGTERM
SCRIPT = """
import os, ray
ray.init(logging_level="error")
@ray.remote(num_cpus=0, resources={"proper": 1})
def priority():
    return os.environ.get("GIVEWAY_PRIORITY")
print("driver", os.environ["GIVEWAY_NAME"], "worker", ray.get(priority.remote()))
raise SystemExit(3)
"""


@pytest.fixture
def at(cluster: LocalCluster) -> tuple[str, ...]:
    return ("submit", "--address", cluster.dashboard)


def test_a_ray_program_runs_under_giveway_with_its_workers(
    giveway: Runner, at: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = (sys.executable, "script.py")
    done = giveway(*at, "--priority", "8", "--working-dir", str(tmp_path), "--", *command)
    assert done.returncode == 3, done.stderr
    assert "driver script.py worker 8\n" in done.stdout
    assert "Running entrypoint" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("giveway: job giveway_")


def test_it_may_be_killed(giveway: Runner, at: tuple[str, ...]) -> None:
    done = giveway(*at, "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, TERMINATED)])
def test_a_signal_stops_it(
    spawn: Spawner, at: tuple[str, ...], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    pid_file = tmp_path / "pid"
    script = f"echo $$ >{pid_file}; echo runs; exec sleep 100"
    process = spawn(GIVEWAY, *at, "--", "sh", "-c", script, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert "runs\n" in iter(process.stdout.readline, "")  # as soon as it says so
    process.send_signal(number)
    assert process.wait(30) == code
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_output_that_nobody_reads_stops_it(spawn: Spawner, at: tuple[str, ...]) -> None:
    script = "while echo runs; do sleep 0.1; done"
    process = spawn(GIVEWAY, *at, "--", "sh", "-c", script, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 1


def test_a_node_that_cannot_gate_it_does_not_run_it(giveway: Runner, at: tuple[str, ...]) -> None:
    done = giveway(*at, "--device", "hip", "--", "echo", "ran")
    assert done.returncode == 5
    assert "ran\n" not in done.stdout
    assert f"giveway: {os.uname().nodename} cannot run this under giveway" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--address", "http://127.0.0.1:1", "--", "true"], 8, "the Ray cluster at http://127"),
        (["--address", "nonsense", "--", "true"], 8, "the Ray cluster at nonsense"),
        (["--priority", "5000", "--", "true"], 2, "5000 is not in -1000…1000"),
        (["--share", "500", "--", "true"], 2, "share cannot be '500'"),
        (["--working-dir", "/none", "--", "true"], 2, "'/none' does not exist"),
        ([], 2, "Missing argument"),
    ],
)
def test_a_mistake_is_one_line(
    giveway: Runner, cluster: LocalCluster, arguments: list[str], code: int, words: str
) -> None:
    began = time.monotonic()
    env = {"RAY_API_SERVER_ADDRESS": cluster.dashboard}
    done = giveway("submit", *arguments, env=env)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("giveway: ")]) == 1
    assert time.monotonic() - began < 20


def test_help_needs_no_cluster(giveway: Runner) -> None:
    assert giveway("submit", "--help", env={"PYTHONPATH": "/none"}).returncode == 0
