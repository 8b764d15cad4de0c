"""``giveway submit``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import giveway.ray as giveway_ray
from giveway.ray.jobs import Job
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.ray.cluster import LocalCluster
from tests.ray.workers import Where

TERMINATED = 128 + signal.SIGTERM
# Workers as the job's environment has them; with a `pip` of their own, as far as that leaves traces
# in the worker; and with options of giveway's beside it.
SCRIPT = """
import os, sys, ray, giveway.ray
ray.init(logging_level="error")
@ray.remote(num_cpus=0, resources={"proper": 1})
def who():
    return os.environ.get("GIVEWAY_PRIORITY"), os.environ.get("WHO")
own = {"env_vars": {"VIRTUAL_ENV": sys.argv[1]}}
asked = giveway.ray.options(3, device="cpu", urgent=False, runtime_env=own)
started = [who.remote(), who.options(runtime_env=own).remote(), who.options(**asked).remote()]
print("driver", os.environ["GIVEWAY_NAME"], *ray.get(started), "Ж")
raise SystemExit(3)
"""


@pytest.fixture
def at(cluster: LocalCluster) -> tuple[str, ...]:
    return ("submit", "--address", cluster.dashboard)


def test_a_ray_program_runs_under_giveway_with_its_workers(
    giveway: Runner, at: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "runtime_resources" / "virtualenv"
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nWHO=environment exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    (work / "script.py").write_text(SCRIPT)
    own = ("--device", "cpu", "--priority", "-8", "--working-dir", str(work))
    latin = {"PYTHONIOENCODING": "iso-8859-1"}  # a terminal that cannot show all that is printed
    done = giveway(*at, *own, "--", sys.executable, "script.py", str(folder), env=latin)
    assert done.returncode == 3, done.stderr
    workers = "('-8', None) ('-8', 'environment') ('3', 'environment')"
    assert f"driver script.py {workers} \\u0416\n" in done.stdout
    assert "Running entrypoint" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("giveway: job giveway_")


def test_it_may_be_killed(giveway: Runner, at: tuple[str, ...]) -> None:
    done = giveway(*at, "--device", "cpu", "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, TERMINATED)])
def test_a_signal_stops_it(
    spawn: Spawner, at: tuple[str, ...], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    pid_file = tmp_path / "pid"
    script = f"echo $$ >{pid_file}; echo runs; exec sleep 100"
    command = ("--device", "cpu", "--", "sh", "-c", script)
    process = spawn(GIVEWAY, *at, *command, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert "runs\n" in iter(process.stdout.readline, "")  # as soon as it says so
    process.send_signal(number)
    assert process.wait(30) == code
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_one_that_waits_for_a_place_says_so_and_is_withdrawn_by_a_signal(
    spawn: Spawner, at: tuple[str, ...], cluster: LocalCluster, ray: Any
) -> None:
    from ray.job_submission import JobSubmissionClient

    first = [
        ray.start(Where, **giveway_ray.options(9, device="cpu", resources={name: 0.1}))
        for name in ("proper", "proper", "bare", "older")
    ]
    ray.get([actor.pid.remote() for actor in first])
    command = ("--device", "cpu", "--priority", "8", "--", "echo", "ran")
    process = spawn(GIVEWAY, *at, *command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    job = next(lines).split()[-1]
    assert next(lines).startswith(f"giveway: job {job} waits: for a place")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "".join(lines).split("\n") == [f"giveway: stopping job {job}", "", ""]
    client = JobSubmissionClient(cluster.dashboard)
    assert client.get_job_status(job).value == "FAILED"
    assert "ran\n" not in client.get_job_logs(job)


def test_a_signal_before_ray_knows_of_it_ends_it(cluster: LocalCluster) -> None:
    job = Job(["true"], cluster.dashboard, device="cpu")
    job.stop()
    assert job._state() is None
    assert "RAY_API_SERVER_ADDRESS" not in os.environ


def test_output_that_nobody_reads_stops_it(spawn: Spawner, at: tuple[str, ...]) -> None:
    script = "while echo runs; do sleep 0.1; done"
    command = ("--device", "cpu", "--", "sh", "-c", script)
    process = spawn(GIVEWAY, *at, *command, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 1


def test_a_node_that_cannot_gate_it_does_not_run_it(spawn: Spawner, at: tuple[str, ...]) -> None:
    """Nor one that has a GPU for Ray and none for giveway."""
    command = ("--", "echo", "ran")
    known = {
        "cannot run this under giveway": spawn(GIVEWAY, *at, "--device", "hip", *command),
        "has no GPU that giveway can gate": spawn(GIVEWAY, *at, *command),
    }
    for words, process in known.items():
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 5
        assert "ran\n" not in said
        assert f"giveway: {os.uname().nodename} {words}" in said


def test_a_command_that_is_not_utf8_is_refused(giveway: Runner, at: tuple[str, ...]) -> None:
    done = giveway(*at, "--device", "cpu", "--", "echo", "\udcff")
    assert (done.returncode, done.stderr) == (
        2,
        "giveway: the command is not UTF-8, as Ray requires\n",
    )


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
