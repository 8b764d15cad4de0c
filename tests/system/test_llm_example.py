"""The servers of `examples/llm`, as `giveway bench` measures them under giveway."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from giveway.bench.completions import Endpoint, complete
from giveway.bench.http_stream import ServerError
from giveway.bench.requests import Request
from giveway.results import result
from giveway.results.rounds import last_attempts
from giveway.results.store import records_of
from giveway.scenarios.model import Server
from tests.conftest import GIVEWAY

if not importlib.util.find_spec("torch"):
    pytest.skip("needs torch", allow_module_level=True)

ROOT = Path(__file__).parents[2]
PYTHON_WITH_TRANSFORMERS = os.environ.get("GIVEWAY_TRANSFORMERS")


def measure(example: str, folder: Path, python: str) -> None:
    """Measures the server alone, in two modes, so that one server is idle beside the other."""
    text = (ROOT / "examples" / "llm" / example).read_text()
    low = text.index('[[program]]\nname = "low"')
    text = text[:low] + text[text.index("[[bar]]") :]
    text = text.replace('"python"', f'"{python}"')
    text = re.sub(r"(?m)^rate = .*", "rate = 20", text)
    text = re.sub(r"(?m)^slo = .*", 'slo = { ttft = "100s", tpot = "100s" }', text)
    (folder / "mine.toml").write_text(text)
    done = subprocess.run(
        [
            *(GIVEWAY, "bench", str(folder / "mine.toml"), "--device", "cpu", "--anyway"),
            *("--modes", "giveway,giveway 10%", "--seconds", "0.5", "--repeats", "1"),
            *("--out", str(folder / "out")),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    (mine,) = result.read(folder / "out")["results"]
    assert mine["status"] == "measured", done.stdout
    high = mine["modes"]["giveway"]["high"]
    assert high["launches"] > 0
    assert 0 < high["ttft_p50_ms"] < high["p50_ms"]
    assert high["tpot_p50_ms"] >= 0
    assert high["slo_share"]["value"] == 1
    records = records_of(folder / "out", "mine")
    segments = last_attempts(each for each in records if each["kind"] == "segment")
    assert [each["mode"] for each in segments] == ["giveway", "giveway 10%"]
    assert not any(each["intruders"] for each in segments), "an idle server is no intruder"
    tokens = segments[0]["programs"]["high"]["tokens"]
    assert len(tokens) == high["requests"]
    assert set(tokens) <= set(range(4, 13)), "as many as were asked for"


def test_a_request_that_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "llm"))
    serve = importlib.import_module("serve")

    async def ask() -> None:
        server = serve.Server(engine=None, model="tiny")
        async with await asyncio.start_server(server.handle, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            endpoint = Endpoint(Server(f"http://127.0.0.1:{port}/v1/completions", "tokens"), None)
            await complete(endpoint, Request(0.0, prompt_tokens=60, output_tokens=5), "segment")

    says = "answered 400 Bad Request: .* have 64 tokens together at most"
    with pytest.raises(ServerError, match=says):
        asyncio.run(ask())


def test_a_server_is_gated_and_measured(tmp_path: Path) -> None:
    measure("tiny-cpu.toml", tmp_path, sys.executable)


def test_a_model_that_another_server_makes_first_is_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Servers of several modes start at the same time, in the same folder."""
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "llm"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    serve = importlib.import_module("transformers_serve")
    made: list[Path] = []

    def save(folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text(str(len(made)))
        made.append(folder)
        if len(made) == 1:
            serve.model()

    monkeypatch.setattr(serve, "save", save)
    folder = serve.model()
    assert len(made) == 2
    assert (folder / "config.json").read_text() == "1"
    assert list(folder.parent.iterdir()) == [folder], "nothing unfinished is left"


@pytest.mark.skipif(
    PYTHON_WITH_TRANSFORMERS is None,
    reason="GIVEWAY_TRANSFORMERS names no Python with transformers[serving]",
)
def test_transformers_serve_is_gated_and_measured(tmp_path: Path) -> None:
    assert PYTHON_WITH_TRANSFORMERS is not None
    measure("transformers-cpu.toml", tmp_path, PYTHON_WITH_TRANSFORMERS)
