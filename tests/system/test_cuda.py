"""Programs under `giveway run --device cuda`, over the fake driver: no GPU is needed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.fake_gpu import UUID
from tests.system.watching import goes_on, tasks
from tests.waiting import eventually


def test_the_less_urgent_program_is_held(giveway: Runner, spawn: Spawner, cuda: Path) -> None:
    def start(name: str, priority: str) -> subprocess.Popen[str]:
        run = (GIVEWAY, "run", "--device", "cuda", "--name", name, "--priority", priority)
        burst = (str(cuda / "burst"), "other", "60", "200", "50")
        return spawn(*run, "--", *burst, env={"GIVEWAY_MAX_WAIT_MS": "0"})  # no turns

    low = start("low", "0").pid
    assert eventually(lambda: tasks()["low"].state == "active")
    high = start("high", "10")
    assert eventually(lambda: tasks()["low"].held_seconds > 0.3)
    listed = json.loads(giveway("ps", "--json").stdout)["tasks"]
    of_device = json.loads(giveway("ps", "--json", "--device", "cuda").stdout)["tasks"]
    assert {task["pid"] for task in of_device} == {low, high.pid}
    shown = {task["name"]: task for task in listed}
    assert shown["high"]["device"] == shown["low"]["device"] == UUID
    assert shown["high"]["held_seconds"] == 0
    assert shown["low"]["preemptions"] >= 1
    high.kill()
    high.wait()
    assert goes_on(low, 200, UUID)


def test_cuda_is_the_default_where_there_is_a_gpu(giveway: Runner, cuda: Path) -> None:
    done = giveway("run", "--", "sh", "-c", "echo $GIVEWAY_DEVICE; echo $LD_PRELOAD")
    device, preload = done.stdout.split()
    names = [Path(entry).name for entry in preload.split(":")]
    assert (device, names) == ("cuda", ["libgiveway-cuda.so", "libgiveway-exec.so"])


def test_trace_counts_what_a_program_does(giveway: Runner, cuda: Path, tmp_path: Path) -> None:
    report, timeline = tmp_path / "report.json", tmp_path / "timeline.json"
    burst = (str(cuda / "burst"), "urgent", "0.3", "200", "10", "stream")
    options = ("--json", "-o", str(report), "--perfetto", str(timeline), "--priority", "3")
    done = giveway("trace", *options, "--", *burst)
    assert (done.returncode, done.stderr) == (0, "")
    bursts = json.loads(done.stdout)["n"]
    document = json.loads(report.read_text())
    assert (document["schema"], document["exit_code"]) == (1, 0)
    (process,) = document["processes"]
    launches = 6 + 10 * bursts  # six to calibrate
    assert process["kernels"] == [{"name": "ns_200000", "launches": launches}]
    assert process["calls"]["launches"] == launches
    assert process["calls"]["legacy_launches"] == 0
    assert process["calls"]["syncs"] == 6 + bursts
    assert process["calls"]["failures"] == 0
    (task,) = process["tasks"]
    assert (task["device"], task["priority"], task["launches"]) == (UUID, 3, launches)

    events = [e for e in json.loads(timeline.read_text())["traceEvents"] if e["ph"] == "X"]
    kernels = [event for event in events if event["name"] == "ns_200000"]
    assert len(kernels) == launches
    assert all(event["dur"] >= 0 and event["cat"] == "cuLaunchKernel" for event in kernels)
    assert sorted(event["ts"] for event in kernels) == [event["ts"] for event in kernels]


def test_trace_shows_a_table(giveway: Runner, cuda: Path) -> None:
    done = giveway("trace", "--", str(cuda / "burst"), "urgent", "0.1", "100", "2")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    by_title = {" ".join(row[:-1]): row[-1] for row in rows if row}
    assert int(by_title["launches"]) >= 8
    assert int(by_title["on the NULL stream"]) >= 8
    assert ["LAUNCHES", "KERNEL"] in rows
    assert any(row[-1] == "ns_100000" for row in rows if row)


@pytest.mark.parametrize("code", [0, 3, 127])
def test_trace_passes_the_exit_code_on(giveway: Runner, cuda: Path, code: int) -> None:
    assert giveway("trace", "--", "sh", "-c", f"exit {code}").returncode == code


def test_trace_says_which_signal_ended_the_program(giveway: Runner, cuda: Path) -> None:
    done = giveway("trace", "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + signal.SIGKILL
    assert "No process used the device" in done.stdout


def test_trace_of_a_program_that_does_not_exist(giveway: Runner, cuda: Path) -> None:
    done = giveway("trace", "--", "/no/such/program")
    assert done.returncode == 127
    (line,) = done.stderr.splitlines()
    assert line == "giveway: /no/such/program: no such file"


THREADS = """
import ctypes, os, threading, giveway
cuda = ctypes.CDLL("libcuda.so.1")
context, module, function = (ctypes.c_void_p() for _ in range(3))
assert cuda.cuInit(0) == cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
assert cuda.cuModuleLoadData(ctypes.byref(module), b"") == 0
assert cuda.cuModuleGetFunction(ctypes.byref(function), module, b"ns_1000") == 0

def launch():
    assert cuda.cuCtxSetCurrent(context) == 0
    nothing = ctypes.c_void_p()
    assert cuda.cuLaunchKernel(function, *[1] * 6, 0, nothing, nothing, nothing) == 0

def urgent():
    with giveway.task(priority=9, name="urgent"):
        launch()
        task = giveway.current()
        assert (task.name, task.priority, task.is_thread) == ("urgent", 9, True), task
        assert task.device.startswith("GPU-") and task.launches == 1
        assert sorted(t.name for t in giveway.tasks()) == ["low", "urgent"]

assert giveway.current() is None and giveway.tasks() == []
launch()
assert (giveway.current().name, giveway.current().priority) == ("low", 0)
thread = threading.Thread(target=urgent)
thread.start()
thread.join()
assert giveway.current().name == "low"
print("done")
"""


def test_a_python_thread_has_its_own_task(giveway: Runner, cuda: Path) -> None:
    done = giveway("run", "--name", "low", "--", sys.executable, "-c", THREADS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_doctor_describes_the_gpu(giveway: Runner, cuda: Path) -> None:
    done = giveway("doctor", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["problems"]) == (0, [])
    (device,) = (device for device in report["devices"] if device["name"] == "cuda")
    assert device["description"] == "1 × giveway fake GPU (simulated)"
    assert device["driver"] == f"{cuda / 'libcuda.so.1'} (CUDA 13.0)"
    assert [page["device"] for page in device["pages"]] == [UUID]
    supported = {name: known["supported"] for name, known in device["capabilities"].items()}
    assert supported == {
        "launch_gate": True, "stream_gate": False, "interrupt": False, "memory_limit": True,
        "parking": True
    }  # fmt: skip
    assert "500 µs" in device["capabilities"]["launch_gate"]["reason"]
    assert "CUDA" not in [driver["api"] for driver in report["drivers"]]
    text = giveway("doctor").stdout
    assert "stream gate  no" in text
    assert str(cuda / "libcuda.so.1") in text


def test_doctor_says_that_the_driver_is_missing(giveway: Runner, cuda: Path) -> None:
    done = giveway("doctor", "--json", env={"GIVEWAY_CUDA_LIBRARY": "/no/such/libcuda.so.1"})
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert "/no/such/libcuda.so.1, which is not there" in problem["what"]
    assert "GIVEWAY_CUDA_LIBRARY" in problem["do"]


def test_a_missing_driver_is_one_line_and_no_device(giveway: Runner, cuda: Path) -> None:
    code = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"
    done = giveway(
        *("run", "--", sys.executable, "-c", code),
        env={"GIVEWAY_CUDA_LIBRARY": "/no/such/libcuda.so.1"},
    )
    assert (done.returncode, done.stdout) == (0, "100\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("giveway: no libcuda.so.1")


def test_verify_says_that_torch_cannot_use_the_gpu(giveway: Runner, cuda: Path) -> None:
    """What this machine's torch makes of the fake driver: a failure that is not giveway's."""
    done = giveway("verify", "--only", "mlp")
    assert done.returncode == 1
    assert "mlp failed: also without giveway: RuntimeError: torch" in done.stdout
    assert "finds no GPU" in done.stdout
    assert "on cuda (1 × giveway fake GPU (simulated))" in done.stdout
