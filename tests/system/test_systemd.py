"""The systemd unit in contrib, as systemd reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "contrib" / "giveway.service"


def verify(unit: Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    return subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    giveway = tmp_path / ".local" / "bin" / "giveway"
    giveway.parent.mkdir(parents=True)
    giveway.write_text("#!/bin/sh\n")
    giveway.chmod(0o755)
    done = verify(UNIT, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    wrong = tmp_path / "wrong.service"
    wrong.write_text(UNIT.read_text().replace("Restart=on-failure", "Restart=at-times"))
    assert "parse service restart" in verify(wrong, tmp_path).stderr
