"""The details of a task: those of its own process, and of no other one."""

from __future__ import annotations

import os
import pwd
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from giveway import api
from giveway.devices import hip
from giveway.observe import details, pods
from giveway.observe.details import Details, Inspector, find_process, key
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
        return {os.getpid(): 5 << 20, 1: 1} if uuid == GPU else {}


def test_a_task_has_the_user_and_the_command_of_its_process(task: Task) -> None:
    found = Inspector().read([task])[key(task)]
    assert found.user == pwd.getpwuid(os.getuid()).pw_name
    assert found.command is not None
    assert "pytest" in found.command
    assert (found.gpu, found.gpu_memory_bytes) == (None, None)


def test_a_program_without_a_task_has_them_too() -> None:
    program = Program(os.getpid(), "a", "cuda")
    found = Inspector().read([], [program])
    assert found[key(program)].user == pwd.getpwuid(os.getuid()).pw_name


def test_a_task_on_a_gpu_has_its_number_and_memory(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    monkeypatch.setattr(details, "Gpus", Gpus)
    own = replace(task, device=GPU)
    stranger = replace(own, ticket=9, pid_namespace=7)  # with the same pid, in its own namespace
    found = Inspector().read([own, stranger, task])
    shown = found[key(own)]
    assert (shown.gpu, shown.gpu_memory_bytes) == (3, 5 << 20)
    assert found[key(stranger)] == Details(gpu=3)
    assert found[key(task)].gpu is None


def test_a_gpu_of_another_maker_has_the_number_of_that_maker(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    monkeypatch.setattr(details, "Gpus", Gpus)
    monkeypatch.setattr(hip, "gpu_numbers", lambda: {"GPU-00000000000000aa": 1})
    found = Inspector().read([replace(task, device="GPU-00000000000000aa")])
    assert [(each.gpu, each.gpu_memory_bytes) for each in found.values()] == [(1, None)]


@pytest.fixture
def amd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the kernel's driver, with two GPUs, on a machine without NVML."""
    for number, gpu, identifier in (("1", 170, 4711), ("2", 171, 815)):
        node = tmp_path / "topology" / "nodes" / number
        node.mkdir(parents=True)
        (node / "name").write_text("gfx942\n")
        (node / "properties").write_text(f"simd_count 304\nunique_id {gpu}\n")
        (node / "gpu_id").write_text(f"{identifier}\n")
    monkeypatch.setattr(hip, "_NODES", tmp_path / "topology" / "nodes")
    monkeypatch.setattr(hip, "_PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(hip, "_FIRST_NAMESPACE", Path("/proc/self/ns/pid").stat().st_ino)
    monkeypatch.setattr(details, "Gpus", Gpus)
    return tmp_path


def use(amd: Path, pid: int, **files: str) -> None:
    folder = amd / "proc" / str(pid)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_the_memory_on_an_amd_gpu_is_what_the_kernel_counts(amd: Path, task: Task) -> None:
    use(amd, os.getpid(), pasid="32769\n", sdma_815="0\n", vram_815="7340032\n", vram_4711="9\n")
    use(amd, 1, vram_815="1\n")
    use(amd, 2, vram_4711="1\n")
    use(amd, 3, vram_815="\n")  # no kernel writes that
    (amd / "proc" / "4").mkdir()  # it ends
    second = replace(task, device="GPU-00000000000000ab")
    assert hip.memory(second.device) == {os.getpid(): 7 << 20, 1: 1}
    first = replace(second, device="GPU-00000000000000aa", ticket=9)
    found = Inspector().read([second, first])
    assert [(each.gpu, each.gpu_memory_bytes) for each in found.values()] == [(1, 7 << 20), (0, 9)]


def test_where_the_kernel_does_not_say_the_memory_is_unknown(
    amd: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = replace(task, device="GPU-00000000000000ab")

    def unknown() -> bool:
        (found,) = Inspector().read([second]).values()
        return (found.gpu, found.gpu_memory_bytes) == (1, None)

    assert unknown()  # an older kernel
    use(amd, os.getpid(), vram_815="7340032\n")
    assert not unknown()
    monkeypatch.setattr(hip, "_FIRST_NAMESPACE", 1)  # a container: another process has this pid
    assert unknown()
    monkeypatch.undo()
    assert hip.memory("GPU-00000000000000ab") == {}  # a machine without such a GPU


def test_a_process_is_looked_for_once(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    looked = []
    monkeypatch.setattr(details, "find_process", lambda task: looked.append(task.ticket))
    inspector = Inspector()
    inspector.read([task])
    inspector.read([task])
    assert looked == [task.ticket]
    inspector.read([])
    inspector.read([task])
    assert looked == 2 * [task.ticket]


def process(folder: Path, pid: int, namespace: int, inner: str) -> None:
    """A process in a folder that stands for /proc."""
    (folder / str(pid) / "ns").mkdir(parents=True)
    (folder / str(pid) / "ns" / "pid").write_text(str(namespace))
    (folder / str(pid) / "status").write_text(f"Name:\tx\nNSpid:\t{inner}\nNSpgid:\t1\n")


def test_a_process_in_another_namespace_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: Task
) -> None:
    process(tmp_path, 1, 100, "1")
    process(tmp_path, 500, 300, "500\t1")
    process(tmp_path, 501, 200, "501\t2")
    process(tmp_path, 502, 200, "502\t44\t1")
    (tmp_path / "503").mkdir()  # it has just ended
    (tmp_path / "self").symlink_to("1")
    monkeypatch.setattr(details, "_PROC", tmp_path)
    monkeypatch.setattr(details, "_namespace", lambda path: int((path / "ns/pid").read_text()))

    def found(pid: int, namespace: int) -> int | None:
        return find_process(replace(task, pid=pid, pid_namespace=namespace))

    assert (found(1, 200), found(2, 200), found(1, 300)) == (502, 501, 500)
    assert found(1, 100) == 1
    assert (found(3, 200), found(1, 400), found(1, 0)) == (None, None, None)


CONTAINER = "0123456789abcdef" * 4


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(pods, "_LOGS", tmp_path / "containers")
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / f"web-0_shop_app-{CONTAINER}.log").touch()
    (tmp_path / "containers" / f"db-0_shop_sql-{CONTAINER[::-1]}.log").touch()
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        f"/kubepods.slice/kubepods-pod{'0' * 32}.slice/cri-containerd-{CONTAINER}.scope",
        f"/kubepods/burstable/pod{'0' * 32}/{CONTAINER}",
        f"/../../kubepods-besteffort.slice/crio-{CONTAINER}.scope/container",
    ],
)
def test_a_container_has_the_pod_that_its_log_is_named_after(logs: Path, path: str) -> None:
    (logs / "cgroup").write_text(f"0::{path}\n")
    (logs / "environ").write_text("POD_NAME=liar\0")
    assert pods.pod_of(logs) == ("web-0", "shop", "app")


@pytest.mark.parametrize(
    ("environ", "pod"),
    [
        ("A=1\0POD_NAME=web-1\0POD_NAMESPACE=shop\0CONTAINER_NAME=app\0", ("web-1", "shop", "app")),
        ("POD_NAME=web-1\0", ("web-1", "", "")),
        ("POD_NAMESPACE=shop\0", ("", "", "")),
        ("", ("", "", "")),
    ],
)
def test_elsewhere_the_process_says_it(logs: Path, environ: str, pod: tuple[str, ...]) -> None:
    (logs / "cgroup").write_text(f"0::/docker/{'f' * 64}\n")
    (logs / "environ").write_text(environ)
    assert pods.pod_of(logs) == pod
    assert pods.pod_of(logs / "gone") == pods.NO_POD
