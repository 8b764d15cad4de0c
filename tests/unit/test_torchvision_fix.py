"""The import of torchvision, with stand-ins for it and, once, the real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

IMPORT = "from giveway.models.torchvision_fix import import_torchvision as get; "


def python(code: str, folder: Path, body: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, with a torchvision of these lines if given."""
    if body is not None:
        (folder / "torchvision.py").write_text(body)
    # Found first, as only the current directory is.
    return subprocess.run(
        [sys.executable, "-c", IMPORT + code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_is_done_where_torchvision_works(tmp_path: Path) -> None:
    done = python("import sys; print(get().name, 'torch' in sys.modules)", tmp_path, "name = 'it'")
    assert done.stdout == "it False\n"


def test_other_errors_are_left_alone(tmp_path: Path) -> None:
    done = python("get()", tmp_path, "raise RuntimeError('something else')")
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: something else\n")


def test_the_missing_operators_are_declared(tmp_path: Path) -> None:
    body = """
import torch
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        raise RuntimeError(f"operator torchvision::{name} does not exist")
    torch.library.register_fake(f"torchvision::{name}")(lambda dets, scores, iou: dets)
name = "it"
"""
    done = python("print(get().name)", tmp_path, body)
    assert (done.returncode, done.stdout) == (0, "it\n"), done.stderr
