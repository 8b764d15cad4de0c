"""The start of a Ray worker under giveway, without Ray, as Ray uses bash for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import giveway.ray
from giveway import devices

NODE = os.uname().nodename
WORKER = """
import os, sys
print(sys.argv[1:], os.environ.get("GIVEWAY_PRIORITY"), *os.environ.get("WHO", "").split())
"""
RAN = "['--one', 'a b']"
OWN: dict[str, Any] = {"py_executable": sys.executable}


def started(tmp_path: Path, options: dict[str, Any], **env: str) -> list[str]:
    """The lines of a worker that bash starts in the same way as Ray."""
    (tmp_path / "worker.py").write_text(WORKER)
    line = f"exec {options['runtime_env']['py_executable']} {tmp_path / 'worker.py'} --one 'a b'"
    done = subprocess.run(
        ["bash", "-c", line],
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return (done.stdout + done.stderr).splitlines()


@pytest.fixture
def raylet(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a worker knows of its raylet, which starts workers with this Python."""
    said = f"--python_worker_command={sys.executable} setup_worker.py"
    process = subprocess.Popen([sys.executable, "-c", "input()", said], stdin=subprocess.PIPE)
    yield {"RAY_RAYLET_PID": str(process.pid)}
    process.communicate(b"\n")


def python(folder: Path, who: str) -> Path:
    """This Python at another path, which prints its own name."""
    file = folder / "bin" / "python"
    file.parent.mkdir(parents=True)
    file.write_text(f'#!/bin/sh\nWHO="{who} $WHO" exec {sys.executable} "$@"\n')
    file.chmod(0o755)
    return file


def package(folder: Path, module: str, code: str) -> str:
    """A giveway of one module with this code. Returns the folder for PYTHONPATH."""
    file = folder / "search" / "giveway" / module
    file.parent.mkdir(parents=True)
    for each in [*file.relative_to(folder / "search").parents][:-1]:
        (folder / "search" / each / "__init__.py").touch()
    file.write_text(code)
    return str(folder / "search")


def test_a_worker_gets_its_own_arguments(tmp_path: Path) -> None:
    made = giveway.ray.options(6, device="cpu", name='a "b" $c', runtime_env=OWN)
    assert started(tmp_path, made) == [f"{RAN} 6"]


def test_it_is_the_python_of_the_raylet(tmp_path: Path, raylet: dict[str, str]) -> None:
    made = giveway.ray.options(6, device="cpu")
    assert started(tmp_path, made, **raylet) == [f"{RAN} 6"]


def test_where_the_raylet_does_not_say_it_is_the_one_on_path(tmp_path: Path) -> None:
    there = python(tmp_path, "path")
    there.rename(there.with_name("python3"))
    path = f"{there.parent}:/usr/bin:/bin"
    made = giveway.ray.options(6, device="cpu")
    assert started(tmp_path, made, PATH=path) == [f"{RAN} 6 path"]
    other = {"RAY_RAYLET_PID": str(os.getpid())}
    assert started(tmp_path, made, PATH=path, **other) == [f"{RAN} 6 path"]


@pytest.mark.parametrize("name", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_it_is_the_python_of_an_environment_that_ray_has_activated(
    tmp_path: Path, raylet: dict[str, str], name: str
) -> None:
    folder = tmp_path / "runtime_resources" / "pip" / "x" / "virtualenv"
    python(folder, "environment")
    made = giveway.ray.options(6, device="cpu")
    assert started(tmp_path, made, **raylet, **{name: str(folder)}) == [f"{RAN} 6 environment"]


def test_an_environment_that_ray_has_not_activated_has_no_say(
    tmp_path: Path, raylet: dict[str, str]
) -> None:
    python(tmp_path, "environment")
    made = giveway.ray.options(6, device="cpu")
    assert started(tmp_path, made, **raylet, VIRTUAL_ENV=str(tmp_path)) == [f"{RAN} 6"]


def test_a_worker_starts_where_giveway_is_missing(tmp_path: Path) -> None:
    search = package(tmp_path, "__init__.py", "raise ImportError('not here')\n")
    made = giveway.ray.options(6, device="cpu", runtime_env=OWN)
    ran, said = started(tmp_path, made, PYTHONPATH=search)
    assert ran == f"{RAN} None"
    assert said.startswith(f"giveway: {sys.executable} on {NODE} has no giveway that fits")
    assert said.endswith(": a worker runs ungated (not here)")


def test_where_only_the_environment_may_have_giveway_its_python_is_asked(
    tmp_path: Path, raylet: dict[str, str]
) -> None:
    folder = tmp_path / "runtime_resources" / "virtualenv"
    python(folder, "environment")
    search = package(tmp_path, "__init__.py", "raise ImportError('not here')\n")
    made = giveway.ray.options(6, device="cpu")
    ran, said = started(tmp_path, made, **raylet, VIRTUAL_ENV=str(folder), PYTHONPATH=search)
    assert ran == f"{RAN} None environment environment"  # asked for giveway, then for the worker
    assert said.endswith("a worker runs ungated (not here)")


@pytest.mark.parametrize(
    "code",
    [
        "raise OSError('no\\nsuch')",
        "def worker(text, command): raise OSError('no such')",
        "raise SystemExit('no such')",
    ],
)
def test_a_worker_starts_whatever_giveway_raises(tmp_path: Path, code: str) -> None:
    search = package(tmp_path, "ray/start.py", code)
    made = giveway.ray.options(6, device="cpu", runtime_env=OWN)
    ran, said = started(tmp_path, made, PYTHONPATH=search)
    assert ran == f"{RAN} None"
    assert said.startswith(f"giveway: on {NODE} ")
    assert said.endswith(": no such: a worker runs ungated")


def test_a_worker_that_was_to_have_a_gpu_says_that_there_is_none(tmp_path: Path) -> None:
    if devices.default() != "cpu":
        pytest.skip("this machine has one")
    ran, said = started(tmp_path, giveway.ray.options(6, num_gpus=1, runtime_env=OWN))
    assert ran == f"{RAN} 6"
    assert said == (
        f"giveway: on {NODE} giveway finds no GPU, though one was requested: "
        "a worker shares the cpu device"
    )
