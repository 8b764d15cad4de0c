"""Device memory of programs under `giveway run`, over the fake driver with its 16 GiB."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.fake_gpu import BUILT, UUID
from tests.system.watching import tasks

PROGRAM = Path(__file__).with_name("memory_program.py")
GIB = 1 << 30
NVML = BUILT.parent / "fake" / "nvml"
"""The fake NVML, which the build of the C tests makes."""


class Program:
    """A program that uses memory as it is told."""

    def __init__(self, spawn: Spawner, name: str, *options: str) -> None:
        run = (GIVEWAY, "run", "--device", "cuda", "--name", name, *options)
        env = {"LD_LIBRARY_PATH": str(NVML)}
        self.process = spawn(*run, "--", sys.executable, str(PROGRAM), env=env)

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def allocates(self, size: int) -> bool:
        answer = self.ask(f"allocate {size}")
        assert answer in ("0", "2")
        return answer == "0"

    def sees(self, library: str = "cuda") -> tuple[int, int]:
        """Free and total memory."""
        free, total = self.ask(library).split()
        return int(free), int(total)


def test_arrays_and_graphs_have_the_limit(spawn: Spawner, cuda: Path) -> None:
    one = Program(spawn, "one", "--memory", "4GiB")
    assert one.allocates(GIB)
    assert one.ask(f"array {GIB}") == "0"
    assert one.ask(f"graph {GIB}") == "0"
    assert tasks()["one"].memory == 3 * GIB
    assert one.sees() == (GIB, 4 * GIB)
    assert [one.ask(f"{word} {2 * GIB}") for word in ("allocate", "array")] == ["2"] * 2
    assert one.ask(f"graph {3 * GIB}") == "2"  # 1 GiB is in the pool of graphs, and 1 GiB is free
    assert one.ask("trim") == "0"
    assert tasks()["one"].memory == 2 * GIB
    assert one.ask(f"array {2 * GIB}") == "0"


def test_two_programs_have_half_of_the_gpu_each(
    giveway: Runner, spawn: Spawner, cuda: Path
) -> None:
    one = Program(spawn, "one", "--memory", "50%")
    two = Program(spawn, "two", "--memory", "8GiB")
    assert one.sees() == two.sees() == (8 * GIB, 8 * GIB)
    assert one.allocates(5 * GIB)
    assert one.sees() == (3 * GIB, 8 * GIB)
    assert two.sees() == two.sees("nvml") == (8 * GIB, 8 * GIB)
    assert one.sees("nvml") == (3 * GIB, 8 * GIB)
    assert not one.allocates(4 * GIB)
    assert two.allocates(8 * GIB)
    assert one.sees() == (3 * GIB, 8 * GIB)
    assert one.ask("free") == "0"
    shown = {task["name"]: task for task in json.loads(giveway("ps", "--json").stdout)["tasks"]}
    assert (shown["one"]["memory"], shown["one"]["memory_peak"]) == (0, 5 * GIB)
    assert (shown["two"]["memory"], shown["two"]["memory_limit"]) == (8 * GIB, 8 * GIB)

    pid = str(two.process.pid)
    assert not two.allocates(1 * GIB)
    raised = giveway("set", pid, "--memory", "10GiB")
    assert raised.stdout == f"two ({pid}): memory 8.0 GiB → 10.0 GiB\n"
    assert two.allocates(1 * GIB)
    assert two.sees() == (1 * GIB, 10 * GIB)
    lowered = giveway("set", pid, "--memory", "4GiB")
    assert lowered.stdout == f"two ({pid}): memory 10.0 GiB → 4.0 GiB, and 9.0 GiB are in use\n"
    assert giveway("set", pid, "--memory", "10GiB").returncode == 0
    refused = giveway("set", pid, "--memory", "17GiB")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"giveway: --memory 17.0 GiB is more than the 16.0 GiB of {UUID}\n"

    refused = giveway("run", "--device", "cuda", "--memory", "17GiB", "--", "true")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--memory 17.0 GiB is more than the 16.0 GiB of" in refused.stderr
    refused = giveway("run", "--device", "cuda", "--reserve", "8GiB", "--", "true")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--reserve 8.0 GiB cannot be met: other programs use or have" in refused.stderr

    two.process.send_signal(signal.SIGKILL)
    two.process.wait()
    assert "two" not in tasks()
    assert giveway("run", "--device", "cuda", "--reserve", "8GiB", "--", "true").returncode == 0


def test_others_get_what_a_reservation_leaves(spawn: Spawner, cuda: Path) -> None:
    urgent = Program(spawn, "urgent", "--priority", "10", "--reserve", "12GiB")
    assert urgent.sees() == (16 * GIB, 16 * GIB)
    other = Program(spawn, "other")
    assert other.sees() == (4 * GIB, 4 * GIB)
    assert not other.allocates(5 * GIB)
    assert other.allocates(4 * GIB)
    assert urgent.allocates(12 * GIB)
