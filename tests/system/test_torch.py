"""Real torch programs under giveway: seen, held, measured, and computing the same numbers.

A start of torch costs four seconds, so each program here serves many assertions.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from giveway.page.observer import Page
from giveway.results import result
from giveway.sched.task import Task
from tests.conftest import GIVEWAY, Spawner
from tests.system.conftest import Regions
from tests.system.programs import VERIFIED
from tests.system.watching import gives_way, goes_on, task_of
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="no torch")

PLAIN = (sys.executable, str(Path(__file__).with_name("programs.py")))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the same program computes without giveway and with it."""
    pages = tmp_path_factory.mktemp("numbers") / "pages"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIVEWAY_DIR", str(pages))
        commands = ([*PLAIN, "numbers"], [GIVEWAY, "run", "--", *PLAIN, "numbers"])
        started = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands
        ]
        plain, gated = (json.loads(process.communicate(timeout=300)[0]) for process in started)
    return plain, gated


@pytest.mark.parametrize(
    "what",
    ["training", "training by one thread", "workers", *(f"check {name}" for name in VERIFIED)],
)
def test_the_numbers_are_the_same(
    numbers: tuple[dict[str, Any], dict[str, Any]], what: str
) -> None:
    plain, gated = numbers
    assert plain[what]
    assert gated[what] == plain[what]


def giveway(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command in which torch may work for minutes on a busy machine."""
    return subprocess.run(
        [GIVEWAY, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_compiled_model_stays_compiled() -> None:
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs g++ on the cpu device")
    done = giveway("run", "--", *PLAIN, "compiled")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"graphs": 1}, {"graphs": 1}]


def busy(spawn: Spawner, **env: str) -> subprocess.Popen[str]:
    process = spawn(GIVEWAY, "run", "--", *PLAIN, "busy", env={**env, "GIVEWAY_MAX_WAIT_MS": "0"})
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_program_is_seen_held_and_let_go(spawn: Spawner, regions: Regions) -> None:
    low = busy(spawn, OMP_NUM_THREADS="2")
    high = regions("--priority", "10")
    assert gives_way(low.pid, high.pid)
    held = task_of(low.pid)
    assert held.launches > held.operators
    assert held.preemptions > 0
    high.kill()
    assert goes_on(low.pid)
    assert task_of(low.pid).held_seconds > 0

    # Where it goes on with one thread, it opens no regions any more: its operators are held.
    assert low.stdin is not None
    assert low.stdout is not None
    low.stdin.close()
    assert low.stdout.readline() == "one thread\n"
    high = regions("--priority", "10")
    assert gives_way(low.pid, high.pid)
    before = task_of(low.pid)
    high.kill()
    assert goes_on(low.pid)
    high = regions("--priority", "10")
    assert gives_way(low.pid, high.pid)
    after = task_of(low.pid)
    assert after.operators - before.operators == after.launches - before.launches > 0
    high.kill()
    assert goes_on(low.pid)


def test_a_program_that_has_one_thread_from_the_start_is_held(
    spawn: Spawner, regions: Regions
) -> None:
    low = busy(spawn, OMP_NUM_THREADS="1")
    high = regions("--priority", "10")
    assert gives_way(low.pid, high.pid)
    held = task_of(low.pid)
    assert held.operators == held.launches > 0
    assert held.preemptions > 0
    high.kill()
    assert goes_on(low.pid)


def test_the_ranks_of_a_job_are_held_together_and_compute_the_same(
    spawn: Spawner, regions: Regions
) -> None:
    high = regions("--priority", "10")
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    command = (*torchrun, "--nproc-per-node", "2", PLAIN[1], "rank")
    env = {"GIVEWAY_MAX_WAIT_MS": "0", "OMP_NUM_THREADS": "2"}
    plain, gated = spawn(*command, env=env), spawn(GIVEWAY, "run", "--", *command, env=env)

    def held() -> list[Task]:
        return [task for task in Page.open().tasks() if task.job and task.state == "held"]

    assert eventually(lambda: len(held()) == 2, 120)
    assert len({task.job for task in held()}) == 1
    high.kill()
    numbers, _ = gated.communicate(timeout=300)
    assert gated.returncode == 0
    assert numbers == plain.communicate(timeout=300)[0] != ""


SCENARIO = """
title = "Small models"

[[program]]
name = "high"
priority = 10
model = "llama_server"
arrivals = "fixed"
rate = 20
prompt_tokens = [2, 6]
output_tokens = [3, 5]
slo = { e2e = "1000s" }
sizes = [{ slots = 2, layers = 1, width = 64, vocabulary = 50 }]

[[program]]
name = "low"
model = "bert"
task = "train"
sizes = [{ batch = 1, sequence = 8, layers = 1, width = 64 }]
"""


def test_models_are_measured(tmp_path: Path) -> None:
    """In one mode, as each takes two programs; `test_bench_light.py` has the others."""
    (tmp_path / "small.toml").write_text(SCENARIO)
    done = giveway(
        *("bench", str(tmp_path / "small.toml"), "--device", "cpu", "--modes", "giveway"),
        *("--seconds", "0.5", "--repeats", "1", "--out", str(tmp_path / "out"), "--anyway"),
        OMP_NUM_THREADS="1",
    )
    assert done.returncode == 0, done.stderr
    (small,) = result.read(tmp_path / "out")["results"]
    assert small["status"] == "measured"
    high, low = (small["modes"]["giveway"][name] for name in ("high", "low"))
    assert high["launches"] > 0
    assert low["launches"] is not None  # none in half a second where the urgent one is busy for it
    assert high["service_p50_ms"] > 0
    assert 0 < high["ttft_p50_ms"] < high["p50_ms"]
    assert high["tpot_p50_ms"] > 0
    assert high["slo_share"]["value"] == 1
