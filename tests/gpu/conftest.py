"""An NVIDIA GPU and its driver. Without one, all tests here are skipped with a reason."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from giveway import devices
from tests.system.fake_gpu import NATIVE

HERE = Path(__file__).parent


def missing() -> str | None:
    """Why nothing here can run."""
    if "cuda" not in (device.name for device in devices.find()):
        return "no NVIDIA GPU"
    ask = [sys.executable, "-c", "import torch; torch.zeros(1).cuda()"]
    works = subprocess.run(ask, capture_output=True, check=False).returncode == 0
    return None if works else "PyTorch does not see the GPU"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    reason = missing() if ours else None
    for item in ours:
        item.add_marker(pytest.mark.gpu)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def pages_in_memory(giveway_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The driver holds on to memory only, not to a file on a disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        monkeypatch.setenv("GIVEWAY_DIR", folder)
        yield Path(folder)


@pytest.fixture(scope="session")
def burst(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program without torch that launches."""
    driver = devices.get("cuda").library
    assert driver is not None
    program = tmp_path_factory.mktemp("burst") / "burst"
    source = NATIVE / "programs" / "burst.c"
    subprocess.run(["cc", "-D_GNU_SOURCE", source, driver, "-o", program], check=True)
    return str(program)
