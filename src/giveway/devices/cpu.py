"""The CPU: every machine has one, so giveway uses it where there is no GPU."""

from __future__ import annotations

import os
from typing import Final

from giveway.devices.base import Capability, Device
from giveway.page.library import hook_path

# Idle OpenMP workers spin before they sleep: those of libgomp for some milliseconds, those of LLVM
# for 200 ms. Workers of a held program would spin on the cores that the urgent program needs.
# Without any spinning, both programs would pay for a wake-up in every region. The hook searches for
# this value in libgomp's memory, and adapts it to the processor and to the number of programs that
# share it. docs/decisions/0004-openmp-spinning.md has the measurements.
SPINNING: Final = {"GOMP_SPINCOUNT": "30011", "KMP_BLOCKTIME": "1"}
SPINNING_IS_DECIDED_BY: Final = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")

CAPABILITIES: Final = {
    "launch_gate": Capability(True, "before OpenMP parallel regions and single-threaded operators"),
    "stream_gate": Capability(False, "a CPU runs a launch in the thread that makes it: no streams"),
    "interrupt": Capability(
        True, "of OpenMP regions (libgomp), or of a whole process, by a signal"
    ),
    "memory_limit": Capability(False, "the memory of the host is not limited: use systemd-run"),
    "parking": Capability(False, "the device has no memory of its own to free"),
}


def find() -> list[Device]:
    """The one ``cpu`` device."""
    return [
        Device(
            name="cpu",
            hook=hook_path("cpu"),
            model=f"CPU, {len(os.sched_getaffinity(0))} cores",
            capabilities=CAPABILITIES,
            defaults=SPINNING,
            unless=SPINNING_IS_DECIDED_BY,
        )
    ]
