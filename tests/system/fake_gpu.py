"""The simulated GPU, and helpers for tests of programs on this GPU."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"
BUILT = Path(os.environ.get("GIVEWAY_NATIVE", ROOT / "build/native"), "native", "system")
"""The build folder of tests/system/CMakeLists.txt, from `make native` or `make coverage`."""
UUID = "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00"


def install(folder: Path, kind: str = "known") -> None:
    """Installs a fake driver, programs that launch, and a matching nvidia-smi."""
    programs = ("burst", "kinds") if kind == "known" else ("burst",)
    for name in ("libcuda.so.1", *programs):
        shutil.copy(BUILT / kind / name, folder)
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{UUID}, giveway fake GPU (simulated)'\n")
    tool.chmod(0o755)
