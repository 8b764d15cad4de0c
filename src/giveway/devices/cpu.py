"""The processor itself: every machine has it, so it is what giveway does without a GPU."""

from __future__ import annotations

import os
from typing import Final

from giveway.devices.base import Capability, Device
from giveway.page.library import hook_path

# Idle OpenMP workers spin before they sleep: libgomp's for some milliseconds, LLVM's for 200.
# Those of a held program would spin on the cores that the urgent one needs; not to spin at all
# costs both a wake-up in every region. By this very number the hook finds where libgomp keeps it,
# to put it right for the processor and for how many share it. Measured in decision 4:
# docs/decisions/0004-openmp-spinning.md.
SPINNING: Final = {"GOMP_SPINCOUNT": "30011", "KMP_BLOCKTIME": "1"}
SPINNING_IS_DECIDED_BY: Final = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")

CAPABILITIES: Final = {
    "launch_gate": Capability(True, "before OpenMP parallel regions and single-threaded operators"),
    "stream_gate": Capability(False, "a CPU runs a launch in the thread that makes it: no streams"),
    "interrupt": Capability(True, "of OpenMP regions (libgomp) that already run, by a signal"),
}


def find() -> list[Device]:
    """The one ``cpu`` device."""
    return [
        Device(
            name="cpu",
            description=f"CPU, {len(os.sched_getaffinity(0))} cores",
            hook=hook_path("cpu"),
            capabilities=CAPABILITIES,
            defaults=SPINNING,
            unless=SPINNING_IS_DECIDED_BY,
        )
    ]
