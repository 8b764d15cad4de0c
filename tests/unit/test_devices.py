"""What is promised of devices."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from giveway import devices
from giveway.devices import cuda, hip
from giveway.devices.base import Gpu


def test_every_machine_has_the_default_device() -> None:
    assert devices.get(devices.default()) in devices.find()


def test_every_device_says_what_its_gate_can_stop() -> None:
    for device in devices.find():
        assert set(device.capabilities) == {
            "launch_gate", "stream_gate", "interrupt", "memory_limit", "parking"
        }  # fmt: skip
        for capability in device.capabilities.values():
            assert capability.reason
            assert "\n" not in capability.reason


def test_the_cpu_claims_what_it_can_do() -> None:
    supported = {name: known for name, (known, _) in devices.get("cpu").capabilities.items()}
    assert supported == {
        "launch_gate": True, "stream_gate": False, "interrupt": True, "memory_limit": False,
        "parking": False
    }  # fmt: skip


def test_gpus_are_found_without_a_driver_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, uuid in enumerate(["GPU-0123abcd-0000-1111-2222-333344445555", "GPU-????????"]):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        text = f"Model: \t\t NVIDIA H200\nIRQ:   \t\t 16\nGPU UUID: \t {uuid}\n"
        (folder / "information").write_text(text)
    known = Gpu("GPU-0123abcd-0000-1111-2222-333344445555", "NVIDIA H200")
    assert cuda._from_kernel(tmp_path) == [known, Gpu("", "NVIDIA H200")]
    assert cuda._from_kernel(tmp_path / "nowhere") == []
    monkeypatch.setattr(cuda, "_GPUS", tmp_path)
    monkeypatch.setenv("PATH", "/no/such/folder")
    assert cuda._gpus() == [known]


@pytest.mark.parametrize(
    ("version", "supported"), [("550.127.05", False), ("570.86.10", True), ("", True)]
)
def test_parking_needs_a_driver_with_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, supported: bool
) -> None:
    monkeypatch.setattr(cuda, "_PROC", tmp_path)
    if version:
        line = f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Wed Oct  8 03:25:05\n"
        (tmp_path / "version").write_text(line + "GCC version:  gcc version 12.2.0 (Debian)\n")
    found = cuda.parking()
    assert found.supported is supported
    assert supported or version in found.reason


def test_amd_gpus_are_found_without_a_runtime_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = {
        "0": ("", "simd_count 0\ncpu_cores_count 64\nunique_id 0\n"),
        "10": ("aldebaran", "simd_count 416\nunique_id 250\nlocation_id 256\n"),
        "2": ("gfx1100", "simd_count 192\nunique_id 0\nlocation_id 49689\ndomain 1\nodd\n"),
    }
    for number, (name, properties) in nodes.items():
        (tmp_path / number).mkdir()
        (tmp_path / number / "name").write_text(name + "\n")
        (tmp_path / number / "properties").write_text(properties)
    assert hip._from_kernel(tmp_path) == [
        Gpu("GPU-pci-0001-c2-03.1", "gfx1100"),
        Gpu("GPU-00000000000000fa", "aldebaran"),
    ]
    assert hip._from_kernel(tmp_path / "nowhere") == []

    monkeypatch.setattr(hip, "_NODES", tmp_path)
    monkeypatch.setattr(hip, "_DEVICE", tmp_path)
    (device,) = hip.find()
    assert device.pages == ("GPU-pci-0001-c2-03.1", "GPU-00000000000000fa")
    # Or Triton would go round it.
    assert device.environment({})["TRITON_LIBHIP_PATH"] == str(device.hook)
    users = {"TRITON_LIBHIP_PATH": "/opt/mine/libamdhip64.so"}
    assert device.environment(users).items() >= users.items()


def test_the_shim_is_of_the_generation_that_is_installed(tmp_path: Path) -> None:
    for folder, name in [("old", "libamdhip64.so.5.7.1"), ("new", "libamdhip64.so.6")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
    search = {"LD_LIBRARY_PATH": f"{tmp_path}/none::{tmp_path}/old:{tmp_path}/new"}
    old, new = tmp_path / "old" / "libamdhip64.so.5.7.1", tmp_path / "new" / "libamdhip64.so.6"
    assert hip.installed(search) == ("5", old)
    assert hip.installed({"LD_LIBRARY_PATH": f"{tmp_path}/new"}) == ("6", new)
    given = {"GIVEWAY_HIP_LIBRARY": str(tmp_path / "new" / "libamdhip64.so.6")}
    assert hip.installed(search | given) == ("6", new)
    renamed = {"GIVEWAY_HIP_LIBRARY": str(tmp_path / "libamdhip64.so")}
    assert hip.installed(search | renamed) == ("7", tmp_path / "libamdhip64.so")


@pytest.fixture
def no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a GPU, whatever this one has; the folder where a test puts nodes."""
    monkeypatch.setattr(cuda, "_NODES", (tmp_path / "proc", tmp_path / "nvidiactl"))
    monkeypatch.setattr(cuda, "_GPUS", tmp_path / "proc" / "gpus")
    monkeypatch.setattr(hip, "_DEVICE", tmp_path / "kfd")
    monkeypatch.setattr(hip, "_NODES", tmp_path / "nodes")
    monkeypatch.setenv("PATH", "/no/such/folder")
    for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("node", "device"), [("proc", "cuda"), ("nvidiactl", "cuda"), ("kfd", "hip")]
)
def test_a_node_of_the_kernel_is_enough(no_gpu: Path, node: str, device: str) -> None:
    """Whatever nvidia-smi does, and before a GPU tells its UUID."""
    assert devices.choose().name == "cpu"
    assert devices.missed() is None
    (no_gpu / node).touch()
    chosen = devices.choose()
    assert chosen.name == device
    assert chosen.pages == ()
    assert chosen.description == "GPUs of unknown names"


def test_the_choice_of_a_device_asks_no_tool(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (no_gpu / "nvidia-smi").write_text("#!/bin/sh\nsleep 1000\n")  # a unit test may not start it
    (no_gpu / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(no_gpu))
    assert devices.choose().name == "cpu"
    (no_gpu / "proc").mkdir()
    assert "LD_PRELOAD" in devices.choose().environment({})


def test_a_named_device_is_the_only_one_that_is_looked_for(
    no_gpu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise AssertionError("a GPU was looked for")

    monkeypatch.setattr(cuda, "find", fail)
    monkeypatch.setattr(hip, "find", fail)
    assert devices.get("cpu").name == "cpu"


def test_a_user_who_names_a_driver_has_a_gpu(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEWAY_HIP_LIBRARY", "/opt/mine/libamdhip64.so.6")
    assert devices.default() == "hip"
    monkeypatch.setenv("GIVEWAY_CUDA_LIBRARY", "/opt/mine/libcuda.so.1")
    assert devices.default() == "cuda"


def test_an_amd_driver_that_lists_no_gpu_is_none(no_gpu: Path) -> None:
    (no_gpu / "kfd").touch()
    (no_gpu / "nodes" / "0").mkdir(parents=True)
    (no_gpu / "nodes" / "0" / "name").write_text("\n")
    (no_gpu / "nodes" / "0" / "properties").write_text("simd_count 0\n")
    assert devices.default() == "cpu"


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("CUDA_VISIBLE_DEVICES", "MIG-0123", "CUDA_VISIBLE_DEVICES is MIG-0123"),
        ("CUDA_VISIBLE_DEVICES", "-1", None),
        ("CUDA_VISIBLE_DEVICES", "", None),
        ("ROCR_VISIBLE_DEVICES", "0", "ROCR_VISIBLE_DEVICES is 0"),
    ],
)
def test_what_looks_like_a_gpu_is_said(
    no_gpu: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str | None
) -> None:
    monkeypatch.setenv(name, value)
    assert devices.default() == "cpu"
    assert devices.missed() == what


def test_an_amd_gpu_without_its_device_node_is_said(no_gpu: Path) -> None:
    (no_gpu / "nodes" / "1").mkdir(parents=True)
    (no_gpu / "nodes" / "1" / "name").write_text("gfx90a\n")
    (no_gpu / "nodes" / "1" / "properties").write_text("simd_count 416\nunique_id 250\n")
    assert devices.default() == "cpu"
    assert devices.missed() == f"{no_gpu / 'nodes'} lists one"
