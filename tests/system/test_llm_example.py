"""The server of `examples/llm`, as `giveway bench` measures it under giveway."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from giveway.results import result
from tests.conftest import GIVEWAY
from tests.system.test_server_runner import free_port

if not importlib.util.find_spec("torch"):
    pytest.skip("needs torch", allow_module_level=True)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "llm" / "tiny-cpu.toml"


def test_a_server_is_gated_and_measured(tmp_path: Path) -> None:
    """The server alone, in one mode: each start of torch costs seconds."""
    text = EXAMPLE.read_text()
    low = text.index('[[program]]\nname = "low"')
    text = text[:low] + text[text.index("[[bar]]") :]
    port = free_port()
    text = text.replace(":8000", f":{port}").replace('"--slots"', f'"--port", "{port}", "--slots"')
    text = text.replace('"python"', f'"{sys.executable}"').replace("rate = 5", "rate = 20")
    text = text.replace("100ms", "100s").replace("50ms", "100s")
    (tmp_path / "tiny.toml").write_text(text)
    done = subprocess.run(
        [
            *(GIVEWAY, "bench", str(tmp_path / "tiny.toml"), "--device", "cpu", "--anyway"),
            *("--modes", "giveway", "--seconds", "0.5", "--repeats", "1"),
            *("--out", str(tmp_path / "out")),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    (tiny,) = result.read(tmp_path / "out")["results"]
    assert tiny["status"] == "measured", done.stdout
    high = tiny["modes"]["giveway"]["high"]
    assert high["launches"] > 0
    assert 0 < high["ttft_p50_ms"] < high["p50_ms"]
    assert high["tpot_p50_ms"] >= 0
    assert high["slo_share"]["value"] == 1
