"""The simulated GPU: what tests of programs on it share."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import Runner

NATIVE = Path(__file__).parents[2] / "native"
FAKE_CUDA = [
    path for part in ("engine", "cuda") for path in sorted((NATIVE / "fake" / part).glob("*.c"))
]
"""The sources of the fake libcuda; that of HIP has these and its own."""
UUID = "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00"


def build(folder: Path) -> None:
    """Puts the fake driver there, a program that launches, and an nvidia-smi that knows it."""
    driver = folder / "libcuda.so.1"
    cc = ["cc", "-std=c11", "-O1", "-D_GNU_SOURCE", "-pthread"]
    soname = "-Wl,-soname,libcuda.so.1,-Bsymbolic"
    subprocess.run([*cc, "-fPIC", "-shared", soname, *FAKE_CUDA, "-o", driver], check=True)
    burst = NATIVE / "programs" / "burst.c"
    subprocess.run([*cc, burst, driver, "-o", folder / "burst"], check=True)
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{UUID}, giveway fake GPU (simulated)'\n")
    tool.chmod(0o755)


def tasks(giveway: Runner) -> dict[str, dict[str, Any]]:
    return {task["name"]: task for task in json.loads(giveway("ps", "--json").stdout)["tasks"]}
