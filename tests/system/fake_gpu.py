"""The simulated GPU: what tests of programs on it share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"
BUILT = Path(os.environ.get("GIVEWAY_NATIVE", ROOT / "build/native"), "native", "system")
"""Where `make native` (or `make coverage`) puts what tests/system/CMakeLists.txt describes."""
UUID = "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00"


def install(folder: Path, kind: str = "known") -> None:
    """Puts a fake driver there, a program that launches, and an nvidia-smi that knows it."""
    for name in ("libcuda.so.1", "burst"):
        shutil.copy(BUILT / kind / name, folder)
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{UUID}, giveway fake GPU (simulated)'\n")
    tool.chmod(0o755)
