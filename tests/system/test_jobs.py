"""Jobs: processes on several devices that give way as one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.watching import goes_on, tasks
from tests.waiting import eventually

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(spawn: Spawner, cuda: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts programs on one of two simulated GPUs; held programs have no turn in between."""
    monkeypatch.setenv("GIVEWAY_FAKE_DEVICES", "2")
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")

    def run(gpu: int, name: str, *options: str, kind: str = "other", **env: str) -> object:
        command = (GIVEWAY, "run", "--name", name, *options, "--", str(cuda / "burst"))
        return spawn(
            *command, kind, "300", "200", "50", env={"CUDA_VISIBLE_DEVICES": str(gpu), **env}
        )

    return run  # type: ignore[return-value]


def is_held(*names: str) -> bool:
    """Whether all these programs come to be held at the same time."""
    return eventually(lambda: all(tasks()[name].state == "held" for name in names))


def test_a_rank_is_held_with_the_rank_that_an_urgent_program_holds(
    start: Start, giveway: Runner
) -> None:
    ranks = [start(gpu, f"rank{gpu}", "--job", "train") for gpu in (0, 1)]
    assert eventually(lambda: {"rank0", "rank1"} <= set(tasks()))
    assert tasks()["rank0"].device != tasks()["rank1"].device
    urgent = start(0, "urgent", "--priority", "10", kind="hold")
    assert is_held("rank0", "rank1")
    listed = giveway("ps", "--csv", "--format", "name,job").stdout.splitlines()
    assert sorted(listed) == ["name,job", "rank0,train", "rank1,train", "urgent,"]
    urgent.kill()
    for name, rank in zip(("rank0", "rank1"), ranks, strict=True):
        assert goes_on(rank.pid, 500, tasks()[name].device)


def test_a_killed_rank_releases_the_others(start: Start) -> None:
    first, second = (start(gpu, f"rank{gpu}", "--job", "train") for gpu in (0, 1))
    assert eventually(lambda: {"rank0", "rank1"} <= set(tasks()))
    start(0, "urgent", "--priority", "10", kind="hold")
    assert is_held("rank0", "rank1")
    first.kill()
    assert goes_on(second.pid, 500, tasks()["rank1"].device)


def test_the_ranks_of_a_torchrun_need_no_option(start: Start) -> None:
    torchrun = {"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for gpu in (0, 1):
        start(gpu, f"rank{gpu}", **torchrun)
    other = start(1, "other", **torchrun | {"MASTER_PORT": "29501"})
    assert eventually(lambda: {"rank0", "rank1", "other"} <= set(tasks()))
    start(0, "urgent", "--priority", "10", kind="hold")
    assert is_held("rank0", "rank1")
    assert goes_on(other.pid, 500, tasks()["other"].device)
    assert tasks()["rank0"].job == tasks()["rank1"].job != tasks()["other"].job


def test_a_name_that_no_file_can_have_is_refused(giveway: Runner) -> None:
    done = giveway("run", "--job", "a/b", "--", "true")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "job 'a/b'" in line


def test_a_running_program_keeps_its_job(giveway: Runner) -> None:
    done = giveway("set", "1", "job=other")
    assert done.returncode == 2
    assert "giveway run --job" in done.stderr
