"""What is promised of devices."""

from __future__ import annotations

from giveway import devices


def test_every_machine_has_the_default_device() -> None:
    assert devices.get(devices.DEFAULT) in devices.find()


def test_every_device_says_what_its_gate_can_stop() -> None:
    for device in devices.find():
        assert set(device.capabilities) == {"launch_gate", "stream_gate", "interrupt"}
        for capability in device.capabilities.values():
            assert capability.reason
            assert "\n" not in capability.reason


def test_the_cpu_claims_what_it_can_do() -> None:
    supported = {name: known for name, (known, _) in devices.get("cpu").capabilities.items()}
    assert supported == {"launch_gate": True, "stream_gate": False, "interrupt": True}
