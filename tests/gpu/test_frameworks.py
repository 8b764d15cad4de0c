"""Programs that take most of the GPU's memory when they start: JAX and vLLM."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.conftest import GIVEWAY, Spawner
from tests.gpu.test_parking import GIB, free_memory, state, train
from tests.waiting import eventually

HERE = Path(__file__).parent


def whole_memory() -> int:
    code = "import torch; print(torch.cuda.mem_get_info()[1])"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def run(spawn: Spawner, name: str, program: str, *options: str) -> subprocess.Popen[str]:
    command = (GIVEWAY, "run", "--device", "cuda", "--name", name, *options)
    return spawn(*command, "--", sys.executable, str(HERE / program))


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_two_jax_programs_take_three_quarters_of_their_halves(spawn: Spawner) -> None:
    """Without limits, the second would find a quarter of the GPU, and the third a sixteenth."""
    programs = [run(spawn, name, "jax_program.py", "--memory", "50%") for name in ("one", "two")]
    limits = []
    for program in programs:
        assert program.stdout is not None
        said = json.loads(program.stdout.readline())
        assert said["product"] == 1024.0**3
        limits.append(said["limit"])
    assert limits[0] == limits[1]
    half = whole_memory() // 2
    assert 0.7 * half < limits[0] < 0.76 * half  # JAX rounds up


@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_vllm_starts_beside_a_training_that_fills_the_gpu(spawn: Spawner) -> None:
    """vLLM takes nine tenths of the GPU that it sees, which has the size of its limit. The training
    leaves it a tenth of that, unless the host has no room for so much."""
    room = psutil.virtual_memory().available - 24 * GIB
    low = train(spawn, "low", min(free_memory() - 12 * GIB, room), 100000, "--parkable")
    assert low.stdout is not None
    assert low.stdout.readline()
    high = run(spawn, "high", "vllm_program.py", "--priority", "10", "--memory", "95%")
    out, _ = high.communicate(timeout=600)
    assert high.returncode == 0
    assert "8" in out.splitlines()  # its engine writes to the same output, and ends later
    assert eventually(lambda: state("low") in ("active", "idle"), 120)
