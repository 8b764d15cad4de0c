"""What is promised of devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from giveway import devices
from giveway.devices import cuda, hip


def test_every_machine_has_the_default_device() -> None:
    assert devices.get(devices.default()) in devices.find()


def test_every_device_says_what_its_gate_can_stop() -> None:
    for device in devices.find():
        assert set(device.capabilities) == {"launch_gate", "stream_gate", "interrupt"}
        for capability in device.capabilities.values():
            assert capability.reason
            assert "\n" not in capability.reason


def test_the_cpu_claims_what_it_can_do() -> None:
    supported = {name: known for name, (known, _) in devices.get("cpu").capabilities.items()}
    assert supported == {"launch_gate": True, "stream_gate": False, "interrupt": True}


def test_gpus_are_found_without_a_driver_library(tmp_path: Path) -> None:
    for number, uuid in enumerate(["GPU-0123abcd-0000-1111-2222-333344445555", "GPU-????????"]):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        text = f"Model: \t\t NVIDIA H200\nIRQ:   \t\t 16\nGPU UUID: \t {uuid}\n"
        (folder / "information").write_text(text)
    assert cuda._from_kernel(tmp_path) == [
        cuda.Gpu("GPU-0123abcd-0000-1111-2222-333344445555", "NVIDIA H200")
    ]
    assert cuda._from_kernel(tmp_path / "nowhere") == []


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
        hip.Gpu("GPU-pci-0001-c2-03.1", "gfx1100"),
        hip.Gpu("GPU-00000000000000fa", "aldebaran"),
    ]
    assert hip._from_kernel(tmp_path / "nowhere") == []

    monkeypatch.setattr(hip, "_NODES", tmp_path)
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
