"""What is promised of devices."""

from __future__ import annotations

from pathlib import Path

from giveway import devices
from giveway.devices import cuda


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
