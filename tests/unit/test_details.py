"""The details of a task: those of its own process, and of no other one."""

from __future__ import annotations

import os
import pwd
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from giveway import api
from giveway.observe import details
from giveway.observe.details import UNKNOWN, Details, Inspector
from giveway.observe.programs import Program
from giveway.sched.task import Task

GPU = "GPU-8f6a2f3e-0d43-2f5c-1a77-0123456789ab"


@pytest.fixture
def task() -> Iterator[Task]:
    """A task of this process."""
    with warnings.catch_warnings(action="ignore"), api.task(3, device="cpu") as task:
        assert task is not None
        yield task


class Gpus:
    """NVML, with one GPU that this process uses."""

    def number(self, uuid: str) -> int | None:
        return 3 if uuid == GPU else None

    def memory(self, uuid: str) -> dict[int, int]:
        return {os.getpid(): 5 << 20, 1: 1}


def test_a_task_has_the_user_and_the_command_of_its_process(task: Task) -> None:
    found = Inspector().read([task])["cpu", os.getpid()]
    assert found.user == pwd.getpwuid(os.getuid()).pw_name
    assert found.command is not None
    assert "pytest" in found.command
    assert (found.gpu, found.gpu_memory_bytes) == (None, None)


def test_a_program_without_a_task_has_them_too() -> None:
    found = Inspector().read([], [Program(os.getpid(), "a", "cuda")])
    assert found["cuda", os.getpid()].user == pwd.getpwuid(os.getuid()).pw_name


def test_a_task_on_a_gpu_has_its_number_and_memory(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    monkeypatch.setattr(details, "Gpus", Gpus)
    monkeypatch.setattr(details, "is_here", lambda task: task.pid != 1)
    own, stranger = replace(task, device=GPU), replace(task, device=GPU, ticket=9, pid=1)
    found = Inspector().read([own, stranger, task])
    shown = found[GPU, os.getpid()]
    assert (shown.gpu, shown.gpu_memory_bytes) == (3, 5 << 20)
    assert found[GPU, 1] == Details(gpu=3)
    assert found["cpu", os.getpid()].gpu is None


def test_a_gpu_of_another_maker_has_the_number_of_that_maker(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    monkeypatch.setattr(details, "Gpus", Gpus)
    monkeypatch.setattr(details, "gpu_numbers", lambda: {"GPU-00000000000000aa": 1})
    monkeypatch.setattr(details, "is_here", lambda _task: True)
    found = Inspector().read([replace(task, device="GPU-00000000000000aa")])
    assert [(each.gpu, each.gpu_memory_bytes) for each in found.values()] == [(1, None)]


def test_a_task_is_looked_for_once(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    looked = []
    monkeypatch.setattr(details, "is_here", lambda task: looked.append(task.ticket) or True)
    inspector = Inspector()
    inspector.read([task])
    inspector.read([task])
    assert looked == [task.ticket]
    inspector.read([])
    inspector.read([task])
    assert looked == 2 * [task.ticket]


def test_a_process_that_merely_has_the_pid_is_not_taken_for_the_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: Task
) -> None:
    assert details.is_here(task)
    (tmp_path / "self").symlink_to(f"/proc/{os.getpid()}")
    (tmp_path / str(os.getpid())).mkdir()
    (tmp_path / str(os.getpid()) / "ns").symlink_to(f"/proc/{os.getpid()}/ns")
    (tmp_path / str(os.getpid()) / "maps").write_text("7f00-7f01 rw-s 00:01 7 /dev/shm/cpu.page\n")
    with monkeypatch.context() as patch:
        patch.setattr(details, "_PROC", tmp_path)
        assert Inspector().read([task])["cpu", os.getpid()] == UNKNOWN
    assert not details.is_here(replace(task, pid=2**22 + 1))
    monkeypatch.setattr(details, "_namespace", lambda process: process)
    assert not details.is_here(task)


Stranger = Callable[..., bool]


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: Task) -> Stranger:
    """Whether a process of another user, which shows little, counts as the task's process."""
    page = details.page_path("cpu").stat()

    def refused(_process: Path) -> int:
        raise PermissionError

    def counts(uid: int = 7, gid: int = 7, groups: str = "", started: float = 10.0) -> bool:
        process = tmp_path / str(task.pid)
        process.mkdir(exist_ok=True)
        (process / "status").write_text(
            f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
            f"Gid:\t{gid}\t{gid}\t{gid}\t{gid}\nGroups:\t{groups}\n"
        )
        ticks = round(started * os.sysconf("SC_CLK_TCK"))
        fields = ["S", *("0" for _ in range(18)), str(ticks), "0"]
        (process / "stat").write_text(f"{task.pid} (a ) b) {' '.join(fields)}\n")
        monkeypatch.setattr(details, "_PROC", tmp_path)
        monkeypatch.setattr(details, "_namespace", refused)
        clock = SimpleNamespace(
            CLOCK_BOOTTIME=7, clock_gettime=lambda _clock: 105.0, monotonic=lambda: 100.0
        )
        monkeypatch.setattr(details, "time", clock)
        return details.is_here(replace(task, joined_seconds=20.0))

    assert not counts(page.st_uid + 1, page.st_gid + 1, groups=f"{page.st_gid + 2} 0{page.st_gid}")
    return counts


def test_a_process_of_another_user_has_to_be_allowed_to_use_the_page(stranger: Stranger) -> None:
    page = details.page_path("cpu").stat()
    other = {"uid": page.st_uid + 1, "gid": page.st_gid + 1}
    assert stranger(uid=page.st_uid, gid=page.st_gid + 1)
    assert stranger(**other | {"gid": page.st_gid})
    assert stranger(**other, groups=f"4 {page.st_gid} 27")


def test_a_process_of_another_user_has_to_be_older_than_the_task(stranger: Stranger) -> None:
    uid = details.page_path("cpu").stat().st_uid
    assert stranger(uid, started=25.0)  # the machine slept for 5 seconds
    assert not stranger(uid, started=25.1)
