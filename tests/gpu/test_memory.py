"""Limits and reservations on a real GPU, with PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import GIVEWAY, Spawner

PROGRAM = Path(__file__).with_name("memory_program.py")
DRIVER_PROGRAM = Path(__file__).parents[1] / "system" / "memory_program.py"
GIB = 1 << 30


class Program:
    """A PyTorch program that uses memory as it is told."""

    def __init__(self, spawn: Spawner, name: str, *options: str, **env: str) -> None:
        run = (GIVEWAY, "run", "--device", "cuda", "--name", name, *options)
        self.process = spawn(*run, "--", sys.executable, str(PROGRAM), env=env)

    def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.mark.parametrize("segments", ["False", "True"])
def test_two_programs_have_half_of_the_gpu_each(spawn: Spawner, segments: str) -> None:
    allocator = {"PYTORCH_CUDA_ALLOC_CONF": f"expandable_segments:{segments}"}
    one = Program(spawn, "one", "--memory", "50%", **allocator)
    two = Program(spawn, "two", "--memory", "50%", **allocator)
    before, other = one.ask("see"), two.ask("see")
    half = before["total"]
    assert other["total"] == half
    assert before["properties"] == before["nvml_total"] == half
    assert before["nvml_free"] == before["free"]
    assert half - 2 * GIB < before["free"] < half  # less a context
    grown = one.ask(f"allocate {half / GIB - 4:.3f}")
    assert not grown["refused"]
    assert two.ask("see") == other
    assert one.ask("allocate 5")["refused"]
    assert not two.ask(f"allocate {half / GIB - 4:.3f}")["refused"]
    # PyTorch empties its cache when it is refused memory.
    assert 0 <= one.ask("see")["free"] - grown["free"] < GIB // 8
    assert 0 <= one.ask("free")["free"] - before["free"] < GIB // 8


def test_others_get_what_a_reservation_leaves(spawn: Spawner) -> None:
    urgent = Program(spawn, "urgent", "--priority", "10", "--reserve", "50%")
    whole = urgent.ask("see")["total"]
    other = Program(spawn, "other")
    left = other.ask("see")["total"]
    assert left == whole - whole // 2
    assert other.ask(f"allocate {left / GIB + 1:.3f}")["refused"]
    assert not other.ask(f"allocate {left / GIB - 4:.3f}")["refused"]
    assert not urgent.ask(f"allocate {whole / 2 / GIB - 4:.3f}")["refused"]


def test_arrays_and_graphs_have_the_limit(spawn: Spawner) -> None:
    run = (GIVEWAY, "run", "--device", "cuda", "--name", "one", "--memory", "8GiB")
    program = spawn(*run, "--", sys.executable, str(DRIVER_PROGRAM))

    def ask(line: str) -> str:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(line + "\n")
        program.stdin.flush()
        return program.stdout.readline().strip()

    def used() -> int:
        shown = subprocess.run(
            [GIVEWAY, "ps", "--json"], capture_output=True, text=True, check=True
        ).stdout
        (task,) = json.loads(shown)["tasks"]
        return int(task["memory"])

    assert ask(f"allocate {GIB}") == "0"
    before, free = used(), int(ask("see").split()[0])
    assert ask(f"array {GIB}") == "0"
    assert used() == before + GIB
    assert ask(f"graph {GIB}") == "0"
    assert before + 2 * GIB <= used() < before + 2 * GIB + GIB // 8
    assert free - 2 * GIB - GIB // 8 < int(ask("see").split()[0]) <= free - 2 * GIB
    assert [ask(f"{word} {6 * GIB}") for word in ("allocate", "array", "graph")] == ["2"] * 3
    assert ask("trim") == "0"
    assert used() == before + GIB
