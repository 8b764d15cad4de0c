"""The content of the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import giveway.version

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in the build folder of `make`, so that nothing is compiled twice.

    The commands of that build contain the name of Python, so the same one is used here.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = str(Path(sys.executable).with_name("pip"))
    command = [pip, "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    done = subprocess.run(
        [*command, f"--wheel-dir={folder}", str(ROOT)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_one_wheel_serves_every_python(wheel: Path) -> None:
    version = giveway.version.__version__
    assert wheel.name == f"giveway-{version}-py3-none-linux_x86_64.whl"


def test_the_wheel_has_all_it_needs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= {
        "giveway/py.typed",
        "giveway/cli/run.py",
        "giveway/devices/cpu.py",
        "giveway/verify/checks/models.py",
        "giveway/verify/schema.json",
        "giveway/lib/libgiveway.so",
        "giveway/lib/libgiveway-cpu.so",
        "giveway/lib/libgiveway-exec.so",
        *(f"giveway/lib/hip/libamdhip64.so.{generation}" for generation in "567"),
        *(f"giveway/lib/hip/libgiveway-hip-hooks.so.{generation}" for generation in "567"),
        "giveway/lib/libgiveway-cuda.so",
        "giveway/lib/libgiveway-cuda-hooks.so",
        "giveway/include/giveway.h",
        "giveway/include/giveway_hook.h",
    }


def test_the_wheel_has_nothing_else(wheel: Path) -> None:
    folders = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert folders == {"giveway", f"giveway-{giveway.version.__version__}.dist-info"}


def test_the_wheel_does_not_say_where_it_was_built(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            for path in (ROOT, wheel.parent):
                assert bytes(path) not in content, f"{name} has {path} in it"
