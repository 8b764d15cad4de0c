"""Programs under other tools that stand in for functions of the loader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import Runner
from tests.system.test_interposition import CC, SHARED

PROGRAM = "import ctypes; print(ctypes.CDLL('libm.so.6').cosh is not None)"


def test_look_ups_still_reach_a_tool_that_watches_them(
    giveway: Runner, cuda: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "libasked.so"
    source = Path(__file__).with_name("asked.c")
    subprocess.run([*CC, *SHARED, source, "-o", tool], check=True)
    done = giveway("run", "--", sys.executable, "-c", PROGRAM, env={"LD_PRELOAD": str(tool)})
    assert (done.returncode, done.stdout) == (0, "True\n")
    assert "asked for cosh\n" in done.stderr
