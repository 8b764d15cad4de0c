"""What must hold on a real GPU, in small: results/ has the same at length."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from giveway.results import result
from tests.conftest import GIVEWAY, Spawner
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]


def giveway(*args: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GIVEWAY, *args], capture_output=True, text=True, timeout=seconds, check=False
    )


def shown(name: str) -> dict[str, object]:
    tasks = json.loads(giveway("ps", "--json").stdout)["tasks"]
    return next((task for task in tasks if task["name"] == name), {})


def launches() -> int:
    return int(str(shown("low").get("launches", 0)))


def start(spawn: Spawner, name: str, priority: int, *command: str) -> subprocess.Popen[str]:
    options = ("--device", "cuda", "--name", name, "--priority", str(priority))
    process = spawn(GIVEWAY, "run", *options, "--", *command)
    assert eventually(lambda: shown(name).get("state") in ("active", "held"), 60)
    return process


@pytest.fixture
def held(spawn: Spawner, burst: str) -> subprocess.Popen[str]:
    """The program that holds another one, which launches without a pause."""
    start(spawn, "low", 0, burst, "other", "60", "200", "50")
    high = start(spawn, "high", 10, burst, "hold", "60", "200", "1")
    assert eventually(lambda: shown("low").get("state") == "held")
    return high


def test_pytorch_computes_the_same(tmp_path: Path) -> None:
    """Of every kind one: libraries' own launches, a graph, two threads, a model, training."""
    names = ("matmul", "graphs", "priorities", "googlenet", "resnet18-sgd")
    only = [word for name in names for word in ("--only", name)]
    done = giveway("verify", "-d", "cuda", *only, "--json", str(tmp_path / "verify.json"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_graphs_with_gates_inside_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEWAY_GRAPH_GATE_EVERY", "4")
    # Several checks, because rivals that hold none of them would prove nothing.
    names = ("graphs", "transformer", "backward", "mixed")
    only = [word for name in names for word in ("--only", name)]
    done = giveway("verify", "-d", "cuda", *only, "--rivals", "2")
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_finds_a_way_around_the_gate() -> None:
    script = str(ROOT / "benchmarks" / "bypass.py")
    models = ("resnet18", "vit_b_16", "resnet18:train")
    done = giveway("run", "--device", "cuda", "--", sys.executable, script, *models)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = json.loads(done.stdout)["models"]
    assert all(counted[model]["kernels"] > 30 for model in models)


def test_a_killed_program_holds_nobody(held: subprocess.Popen[str]) -> None:
    held.send_signal(signal.SIGKILL)
    before = launches()
    assert eventually(lambda: launches() > before + 1000)


def test_a_page_that_is_cut_short_holds_nobody(
    held: subprocess.Popen[str], pages_in_memory: Path, spawn: Spawner, burst: str
) -> None:
    """The device waits on a word of the page. The low program, ungated from now on, ends."""
    end = spawn(
        *(GIVEWAY, "run", "--device", "cuda", "--name", "short", "--"),
        *(burst, "other", "1", "200", "50"),
    )
    assert eventually(lambda: shown("short").get("state") == "held", 60)
    for page in pages_in_memory.glob("*.page"):
        with page.open("r+b") as file:
            file.truncate(0)
    out, _ = end.communicate(timeout=60)
    assert json.loads(out)["kernels_per_s"] > 0
    assert end.returncode == 0
    assert held.poll() is None


def test_a_program_ends_although_its_work_is_held(
    held: subprocess.Popen[str], spawn: Spawner
) -> None:
    """The program has submitted work behind the gate, and waits for none of this work."""
    code = "import torch; x = torch.zeros(1 << 20, device='cuda'); [x.add_(1) for _ in range(100)]"
    run = (GIVEWAY, "run", "--device", "cuda", "--name", "ends", "--")
    process = spawn(*run, sys.executable, "-c", code)
    assert process.wait(60) == 0
    assert held.poll() is None


def test_the_bench_measures_on_it(tmp_path: Path) -> None:
    options = ("--device", "cuda", "--seconds", "1", "--repeats", "1", "--out", str(tmp_path / "r"))
    done = giveway("bench", "dual", "--modes", "alone,native,giveway", "--anyway", *options)
    assert done.returncode in (0, 1, 9), done.stdout + done.stderr
    (measured,) = result.read(tmp_path / "r")["results"]
    assert measured["status"] == "measured"
    low = measured["modes"]["giveway"]["low"]
    assert low["not_measured"] is not None or low["preemptions"] > 0
    assert low["preemption_latency_ms"]["value"] is not None
    assert measured["device_busy_share"]["native"] is not None
