"""Parking on a real GPU: its memory comes back bit for bit, and others can use it meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from giveway import devices
from giveway.devices import cuda
from tests.conftest import GIVEWAY, Spawner
from tests.waiting import eventually

TRAINING = Path(__file__).with_name("training.py")
TWO_GPUS = Path(__file__).with_name("two_gpus.py")
GIB = 1 << 30
STEPS = 8000
"""The losses of so many do not fit into a pipe: a program whose output nobody reads waits."""

pytestmark = pytest.mark.skipif(not cuda.parking().supported, reason=cuda.parking().reason)


def giveway(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GIVEWAY, *args], capture_output=True, text=True, timeout=600, check=False
    )


def state(name: str) -> object:
    tasks = json.loads(giveway("ps", "--json").stdout)["tasks"]
    return next((task["state"] for task in tasks if task["name"] == name), None)


def train(spawn: Spawner, name: str, fill: int, steps: int, *options: str) -> subprocess.Popen[str]:
    """A training that prints the loss of each step exactly, beside `fill` bytes of numbers that it
    checks at the end."""
    run = (GIVEWAY, "run", "--device", "cuda", "--name", name, *options)
    return spawn(*run, "--", sys.executable, str(TRAINING), str(fill), str(steps))


def free_memory(gpu: int = 0) -> int:
    code = f"import torch; print(torch.cuda.mem_get_info({gpu})[0])"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def test_a_parked_training_goes_on_bit_for_bit(spawn: Spawner) -> None:
    plain, _ = train(spawn, "plain", 4 * GIB, STEPS).communicate(timeout=600)
    low = train(spawn, "low", 4 * GIB, STEPS)
    assert low.stdout is not None
    losses = [low.stdout.readline() for _ in range(50)]
    before = free_memory()
    done = giveway("park", str(low.pid))
    assert done.returncode == 0, done.stderr
    assert free_memory() >= before + 4 * GIB
    assert state("low") == "parked"
    done = giveway("unpark", str(low.pid))
    assert done.returncode == 0, done.stderr
    rest, _ = low.communicate(timeout=600)
    assert "".join(losses) + rest == plain
    assert low.returncode == 0


def test_a_training_that_fills_the_gpu_makes_room(spawn: Spawner) -> None:
    """Another program has the most of the GPU: parking all of it would take minutes."""
    code = f"import torch; x = torch.empty({free_memory() - 26 * GIB}, dtype=torch.uint8, device=0)"
    filler = spawn(sys.executable, "-c", f"{code}; print(flush=True); input()")
    assert filler.stdout is not None
    assert filler.stdout.readline()
    low = train(spawn, "low", 16 * GIB, 100000, "--parkable")
    assert low.stdout is not None
    assert low.stdout.readline()
    high = train(spawn, "high", 16 * GIB, 20, "--priority", "10")
    out, _ = high.communicate(timeout=600)
    assert high.returncode == 0
    assert len(out.splitlines()) == 21
    assert eventually(lambda: state("low") in ("active", "idle"), 120)
    assert low.stdout.readline()


def gpus() -> int:
    find = next((device.find_gpus for device in devices.find() if device.name == "cuda"), None)
    return 0 if find is None else len(find())


@pytest.mark.skipif(gpus() < 2, reason="there is one GPU")
def test_a_program_on_two_gpus_is_parked_on_both(spawn: Spawner) -> None:
    run = (GIVEWAY, "run", "--device", "cuda", "--name", "two")
    program = spawn(*run, "--", sys.executable, str(TWO_GPUS), str(4 * GIB))
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    before = [free_memory(gpu) for gpu in range(2)]
    done = giveway("park", str(program.pid))
    assert done.returncode == 0, done.stderr
    assert all(free_memory(gpu) >= before[gpu] + 4 * GIB for gpu in range(2))
    parked = json.loads(giveway("ps", "--json").stdout)["tasks"]
    assert [task["state"] for task in parked] == ["parked", "parked"]
    assert all(task["memory_host"] >= 4 * GIB for task in parked)
    done = giveway("unpark", str(program.pid))
    assert done.returncode == 0, done.stderr
    program.stdin.write("\n")
    program.stdin.flush()
    assert program.stdout.readline() == "same\n"
