"""The modes of `giveway bench` over MPS: a stand-in for the service, on the simulated GPU."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from giveway.results import result
from giveway.results.store import records_of
from tests.conftest import Runner
from tests.system.processes import started_under
from tests.waiting import eventually

CONTROL = """#!/bin/sh
if [ "$1" = -f ]; then
  echo started >> {log}
  touch "$CUDA_MPS_PIPE_DIRECTORY/control"
  exec sleep 1000
fi
cat >> {log}
"""
BROKEN = """#!/bin/sh
echo no permission to run the server
exit 1
"""
# A program whose child launches kernels, and which keeps what it was told.
PROGRAM = """
import json, os, subprocess, sys, time
from giveway.observe import tasks
name, burst, seen = sys.argv[1:]
told = {key: os.environ[key] for key in os.environ if key.startswith(("CUDA_MPS", "GIVEWAY"))}
with open(os.path.join(seen, name), "w") as file:
    json.dump(told, file)
report = os.fdopen(int(os.environ["GIVEWAY_BENCH_FD"]), "w", buffering=1)
child = subprocess.Popen([burst, "other", "60", "200", "5"], stdout=subprocess.DEVNULL).pid
while not any(task.pid == child and task.launches for task in tasks.read()):
    time.sleep(0.01)
print("ready", file=report)
while True:
    time.sleep(0.01)
    print("done 0.01", file=report)
"""


def scenario(folder: Path, burst: Path) -> str:
    (folder / "program.py").write_text(PROGRAM)
    # Not the modes that a test names.
    text = 'title = "Two"\nmodes = ["alone", "mps+giveway 0%"]\n'
    for name, priority in (("high", 10), ("low", 0)):
        command = [sys.executable, str(folder / "program.py"), name, str(burst), str(folder)]
        text += f'[[program]]\nname = "{name}"\npriority = {priority}\n'
        text += f"command = {json.dumps(command)}\n"
    path = folder / "two.toml"
    path.write_text(text)
    return str(path)


def install_control(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a control daemon into a folder, and the folder on PATH."""
    tool = folder / "bin" / "nvidia-cuda-mps-control"
    tool.parent.mkdir()
    tool.write_text(text)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")


def test_programs_are_clients_of_one_service_and_gated(
    giveway: Runner,
    cuda: Path,
    giveway_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "mps.log"
    install_control(tmp_path, CONTROL.format(log=log), monkeypatch)
    done = giveway(
        "bench", scenario(tmp_path, cuda / "burst"), "--device", "cuda", "--anyway",
        "--modes", "mps+giveway,mps+giveway 10%", "--seconds", "0.5", "--repeats", "1",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (two,) = result.read(tmp_path / "out")["results"]
    assert set(two["modes"]) == {"mps+giveway", "mps+giveway 10%"}
    for programs in two["modes"].values():
        assert all(each["launches"] is not None for each in programs.values())
    # The programs are commands: what they did on the device is unknown, when they were held is not.
    records = records_of(tmp_path / "out", "two")
    timelines = {each["mode"]: each for each in records if each["kind"] == "timeline"}
    assert list(timelines) == ["mps+giveway", "mps+giveway 10%"]
    for each in timelines.values():
        assert {state for _, state in each["states"]["high"]} & {"active", "held"}
        assert set(each["closings"]) == {"high", "low"}
    high, low = (json.loads((tmp_path / name).read_text()) for name in ("high", "low"))
    # These are the environments of the last mode.
    assert (high["CUDA_MPS_CLIENT_PRIORITY"], low["CUDA_MPS_CLIENT_PRIORITY"]) == ("0", "1")
    assert (high["GIVEWAY_PRIORITY"], low["GIVEWAY_PRIORITY"]) == ("10", "0")
    assert high["GIVEWAY_ATTRIBUTES"] == "slowdown=10"
    assert "GIVEWAY_ATTRIBUTES" not in low
    assert high["CUDA_MPS_PIPE_DIRECTORY"] == low["CUDA_MPS_PIPE_DIRECTORY"]
    # Both modes share one service, which is told to end.
    assert log.read_text().splitlines() == ["started", "quit -t 1"]
    assert not Path(high["CUDA_MPS_PIPE_DIRECTORY"]).exists()
    assert eventually(lambda: started_under(giveway_dir) == [])


def test_a_service_of_the_user_would_serve_every_mode(
    giveway: Runner, cuda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_control(tmp_path, CONTROL.format(log=tmp_path / "mps.log"), monkeypatch)
    folder = tmp_path / "pipes"
    folder.mkdir()
    (folder / "control").touch()
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(folder))
    done = giveway("bench", scenario(tmp_path, cuda / "burst"), "--device", "cuda")
    assert done.returncode == 9
    assert done.stderr == (
        f"giveway: NVIDIA's multi-process service (in {folder}) would take part in the "
        "measurement: stop it, or measure nevertheless with --anyway\n"
    )


def test_without_any_mode_that_starts_the_result_says_why(
    giveway: Runner, cuda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_control(tmp_path, BROKEN, monkeypatch)
    done = giveway(
        "bench", scenario(tmp_path, cuda / "burst"), "--device", "cuda", "--anyway",
        "--modes", "mps", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Not measured: with MPS (MPS ended with exit code 1: no permission" in done.stdout


def test_without_the_service_the_other_modes_go_on(
    giveway: Runner, cuda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_control(tmp_path, BROKEN, monkeypatch)
    done = giveway(
        "bench", scenario(tmp_path, cuda / "burst"), "--device", "cuda", "--anyway",
        "--modes", "giveway 10%,mps+giveway", "--seconds", "0.3", "--repeats", "1",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (two,) = result.read(tmp_path / "out")["results"]
    assert set(two["modes"]) == {"giveway 10%"}
    (reason,) = two["modes_not_measured"].values()
    assert reason == "MPS ended with exit code 1: no permission to run the server"
