"""Programs whose launches are gated, without torch, and a GPU that is simulated."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Spawner
from tests.system import fake_gpu
from tests.system.daemons import Daemon

Regions = Callable[..., "subprocess.Popen[str]"]
Serve = Callable[..., Daemon]


@pytest.fixture(scope="session", autouse=True)
def two_cores() -> Iterator[None]:
    """On a machine with more cores, programs with two threads each would not compete for any."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:2])
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the programs that the tests run."""
    if not fake_gpu.BUILT.exists():
        pytest.fail(f"{fake_gpu.BUILT} is missing: make native", pytrace=False)
    return fake_gpu.BUILT


@pytest.fixture
def serve(spawn: Spawner) -> Serve:
    """Starts a daemon, with options for ``giveway serve``."""
    return lambda *options: Daemon(spawn, *options)


@pytest.fixture(scope="session")
def regions_program(built: Path) -> str:
    return str(built / "regions")


def _starter(spawn: Spawner, program: str) -> Regions:
    def start(*options: str) -> subprocess.Popen[str]:
        process = spawn(GIVEWAY, "run", *options, "--", program)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    return start


@pytest.fixture
def regions(spawn: Spawner, regions_program: str) -> Regions:
    """Starts a busy program under ``giveway run OPTIONS…`` and waits for its first launch."""
    return _starter(spawn, regions_program)


@pytest.fixture
def bursts(spawn: Spawner, built: Path) -> Regions:
    """Starts a program that becomes active again and again, in the same way."""
    return _starter(spawn, str(built / "bursts"))


@pytest.fixture(scope="session")
def fake(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fake driver and its companion files."""
    folder = tmp_path_factory.mktemp("fake")
    fake_gpu.install(folder)
    return folder


@pytest.fixture
def cuda(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment in which the fake GPU is there."""
    if Path("/proc/driver/nvidia/gpus").exists():
        pytest.skip("this machine has a GPU of its own, which giveway would find first")
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    monkeypatch.setenv("GIVEWAY_CUDA_LIBRARY", str(fake / "libcuda.so.1"))
    monkeypatch.setenv("GIVEWAY_FAKE_DIR", str(tmp_path))
    return fake


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with the stand-in for torch, built from `tests/system/light`."""
    folder = tmp_path_factory.mktemp("light")
    source = Path(__file__).with_name("light")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    region = ["-shared", "-fPIC", str(source / "region.c"), "-o", str(folder / "region.so")]
    subprocess.run(["cc", "-O1", "-fopenmp", *region], check=True)
    return folder


@pytest.fixture
def light_torch(light: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every program of the test imports the stand-in for torch."""
    monkeypatch.setenv("PYTHONPATH", str(light))
