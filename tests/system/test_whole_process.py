"""Programs without OpenMP regions: gated as a whole, and told to end."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.watching import catches, task_of
from tests.waiting import eventually

BUSY = """
import signal, threading
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
threading.Thread(target=stop.wait).start()
print("ready", flush=True)
while not stop.is_set():
    sum(range(1000))
print("ended", flush=True)
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held programs have no turn in between."""
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")


def busy(spawn: Spawner, *options: str) -> subprocess.Popen[str]:
    process = spawn(GIVEWAY, "run", *options, "--", sys.executable, "-c", BUSY)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_whole_process_is_held_and_ends_when_told(
    spawn: Spawner, regions: Regions, giveway: Runner
) -> None:
    low = busy(spawn, "--whole-process", "--name", "busy")
    regions("--priority", "10")
    regions("--priority", "10")  # two programs of two threads leave no core
    assert eventually(lambda: task_of(low.pid).state == "held")
    assert task_of(low.pid).gate == "whole process"
    assert "busy,whole process" in giveway("ps", "--csv", "-o", "name,gate").stdout.splitlines()
    # A Python handler runs between two bytecodes of the main thread, which is held.
    assert eventually(lambda: catches(low.pid, signal.SIGTERM))
    low.send_signal(signal.SIGTERM)
    out, _ = low.communicate(timeout=60)
    assert (out, low.returncode) == ("ended\n", 0)


UNSEEN = """
import ctypes
from giveway.page.library import library
join = library().gw_current
join.restype = ctypes.c_void_p
join(b"cpu")
print("ready", flush=True)
while True:
    pass
"""


def test_an_idle_task_that_computes_is_not_shown_as_idle(spawn: Spawner, giveway: Runner) -> None:
    """A task without launches, as compiled code of one thread looks to the gate."""
    command = ("run", "--name", "unseen", "--", sys.executable, "-c", UNSEEN)
    process = spawn(GIVEWAY, *command)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    def shown() -> list[str]:
        lines = giveway("ps").stdout.splitlines()
        return [line for line in lines if " unseen " in line and "not gated" in line]

    assert eventually(shown)


def test_a_gpu_has_no_whole_process_gate(giveway: Runner, cuda: object) -> None:
    done = giveway("run", "--whole-process", "--device", "cuda", "--", "true")
    assert done.returncode == 2
    assert done.stderr == "giveway: --whole-process is for --device cpu, not cuda\n"
