"""`giveway mps`, with a stand-in for the control daemon, and programs that become its clients."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from giveway.bench.guard import Guard
from giveway.bench.mps import Mps
from giveway.devices import mps
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.fake_gpu import UUID
from tests.system.watching import tasks
from tests.waiting import eventually

STAND_IN = Path(__file__).with_name("mps")
SHOW = "echo $CUDA_MPS_PIPE_DIRECTORY $CUDA_MPS_CLIENT_PRIORITY"


@pytest.fixture
def folder(cuda: Path, giveway_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of giveway's own control daemon, on a machine with a GPU and the stand-in."""
    if Path("/tmp/nvidia-mps/control").exists():
        pytest.skip("this machine runs MPS")
    for name in [name for name in os.environ if name.startswith("CUDA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{STAND_IN}:{os.environ['PATH']}")
    folder = giveway_dir / f"mps-{os.geteuid()}"
    yield folder
    end(folder)


def end(folder: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder / "nvidia-cuda-mps-control.pid").read_text()), signal.SIGKILL)


def shown(giveway: Runner, *options: str, **env: str) -> tuple[list[str], str]:
    done = giveway("run", *options, "--", "sh", "-c", SHOW, env=env)
    assert done.returncode == 0
    return done.stdout.split(), done.stderr


def test_programs_become_clients_while_it_runs(
    giveway: Runner, spawn: Spawner, cuda: Path, folder: Path
) -> None:
    assert shown(giveway) == ([], "")
    done = giveway("mps", "start")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"MPS runs in {folder}\n", "")
    assert giveway("mps", "start").stdout == done.stdout
    inner = (GIVEWAY, "run", "--priority", "5", "--", "sh", "-c", SHOW)
    done = giveway("run", "--", "sh", "-c", f'{SHOW}; exec "$@"', "sh", *inner)
    assert done.stdout.split() == [str(folder), "1", str(folder), "0"]
    assert done.stderr == ""

    burst = spawn(GIVEWAY, "run", "--", str(cuda / "burst"), "other", "60", "200", "50")
    (folder / "clients").write_text(f"{burst.pid}\n")
    document = json.loads(giveway("mps", "status", "--json").stdout)["mps"]
    assert document["clients"] == [burst.pid]
    assert (document["folder"], document["user"]) == (str(folder), os.geteuid())
    line = f"MPS runs in {folder}: kernels of several programs on cuda run at the same time"
    assert f"MPS          {line}\n" in giveway("doctor").stdout
    assert eventually(lambda: any(task.device == UUID for task in tasks().values()))
    assert giveway("ps").stderr == f"{line}\n"

    done = giveway("mps", "stop")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"giveway: programs use MPS (processes {burst.pid}): end them, or say --force\n"
    )
    assert giveway("mps", "stop", "--force").stdout == "MPS is stopped\n"
    assert (folder / "asked").read_text() == "quit -t 1\n"
    assert giveway("mps", "stop").stdout == "MPS does not run\n"
    assert giveway("mps", "status").returncode == 1


def test_the_users_own_control_daemon_is_used(
    giveway: Runner, folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    env = {"CUDA_MPS_PIPE_DIRECTORY": str(own)}
    subprocess.run([STAND_IN / "nvidia-cuda-mps-control", "-d"], env={**os.environ, **env},
                   check=True)  # fmt: skip
    try:
        assert shown(giveway, **env) == ([str(own), "1"], "")
        assert giveway("mps", "start", env=env).stdout == f"MPS runs in {own}\n"
        assert not folder.exists()
        done = giveway("mps", "stop", env=env)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"giveway: MPS in {own} was not started by giveway: end it with its own command"
            f" (CUDA_MPS_PIPE_DIRECTORY={own} nvidia-cuda-mps-control)\n"
        )
    finally:
        end(own)


def test_a_killed_control_daemon_is_none(giveway: Runner, folder: Path) -> None:
    giveway("mps", "start")
    end(folder)
    assert shown(giveway) == ([], "")


def test_what_is_missing_or_fails_is_one_line(giveway: Runner, folder: Path) -> None:
    done = giveway("mps", "start", env={"MPS_FAILS": "no GPU"})
    assert done.returncode == 1
    assert done.stderr == (
        f"giveway: MPS does not start: Cannot create {folder}: no GPU (its log:"
        f" {folder}/control.log)\n"
    )
    if shutil.which("nvidia-cuda-mps-control", path=os.environ["PATH"].partition(":")[2]):
        pytest.skip("this machine has MPS")
    path = os.environ["PATH"].partition(":")[2]
    for verb in ("start", "stop"):
        done = giveway("mps", verb, env={"PATH": path})
        assert (done.returncode, done.stdout) == (5, "")
        assert done.stderr == (
            "giveway: nvidia-cuda-mps-control is not installed: it comes with NVIDIA's driver"
            " (nvidia-compute-utils)\n"
        )


def test_the_bench_has_a_control_daemon_of_its_own(folder: Path) -> None:
    with Guard() as guard, Mps(guard) as own:
        assert Path(own) != folder
        assert mps.ask(Path(own)) is not None
        assert mps.ask(folder) is None
    assert not Path(own).exists()
