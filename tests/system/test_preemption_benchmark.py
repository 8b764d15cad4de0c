"""`benchmarks/preemption.py` on the simulated GPU, up to the figures of a packed result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.system.fake_gpu import BUILT, ROOT
from tools import figures, pack_results

SCRIPT = ROOT / "benchmarks" / "preemption.py"
CASES = ("2 ms", "2 streams", "4 waits", "copies", "updated graphs", "shared memory")


def test_its_figures_can_be_quoted(tmp_path: Path) -> None:
    options = ("--fake", "--seconds", "0.3", "--repeats", "1", "--cases", ",".join(CASES))
    command = (sys.executable, str(SCRIPT), str(BUILT.parents[1]), *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "preemption.json").write_text(done.stdout)
    pack_results.pack(tmp_path / "raw", tmp_path / "packed")

    def figure(source: str) -> float:
        value = figures.compute(tmp_path / "packed", f"preemption.json: {source}")["value"]
        assert isinstance(value, (int, float))
        return value

    for case in CASES[:-1]:
        for mode in ("native", "giveway"):
            assert figure(f"rounds.0.{case}.{mode}.total.n") > 1
            assert figure(f"rounds.0.{case}.{mode}.low_kernels_per_s") > 0
            assert figure(f"ratios.{case}.{mode}.total p50.1") > 0
    # Without gates the device takes turns, and the other's kernels run within the request.
    native, giveway = (figure(f"rounds.0.4 waits.{m}.kernels.p50") for m in ("native", "giveway"))
    assert giveway < native
    document = json.loads(done.stdout)
    assert "reason" in document["rounds"][0]["shared memory"]["giveway"]
    assert "shared memory" not in document["ratios"]
