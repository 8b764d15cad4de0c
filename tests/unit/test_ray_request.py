"""Options for Ray, made without Ray."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import giveway.ray
from giveway import placement
from giveway.errors import GivewayError
from giveway.ray.asked import Asked
from giveway.ray.command import NODE_PYTHON
from giveway.ray.request import ONE_A_NODE


def asked(options: dict[str, Any]) -> Asked:
    """What a node is told by options."""
    return Asked.read(shlex.split(options["runtime_env"]["py_executable"])[-1])


def test_an_urgent_task_takes_the_place_of_its_device() -> None:
    assert giveway.ray.options(1, device="cuda")["num_gpus"] == placement.URGENT
    assert giveway.ray.options(0, device="cuda")["num_gpus"] == placement.BESIDE
    assert giveway.ray.options(1, device="cuda", urgent=False)["num_gpus"] == placement.BESIDE
    assert giveway.ray.options(0, device="hip", urgent=True)["num_gpus"] == placement.URGENT
    assert giveway.ray.options(1, device="cpu")["resources"] == {ONE_A_NODE: 1}
    assert "resources" not in giveway.ray.options(0, device="cpu")


def test_no_two_urgent_tasks_fit_on_a_device_and_another_does() -> None:
    assert placement.fraction(urgent=True) > 0.5
    assert placement.fraction(urgent=True) + placement.fraction(urgent=False) <= 1
    # What is left beside the urgent tasks of one node does not look like room for another.
    assert 16 * (1 - placement.URGENT) < placement.URGENT


@pytest.mark.parametrize(("share", "part"), [(None, 0.05), (100, 0.05), (25, 0.0125), (0.01, 1e-4)])
def test_shares_fit_beside_an_urgent_task_up_to_100(share: float | None, part: float) -> None:
    assert placement.fraction(urgent=False, share=share) == part


def test_what_the_user_says_stays() -> None:
    own = {"resources": {"big": 1}, "num_cpus": 2, "max_restarts": 3, "runtime_env": {"pip": ["x"]}}
    made = giveway.ray.options(5, device="cpu", **own)
    assert made["resources"] == {"big": 1, ONE_A_NODE: 1}
    assert (made["num_cpus"], made["max_restarts"]) == (2, 3)
    assert made["runtime_env"]["pip"] == ["x"]
    assert own["resources"] == {"big": 1}
    assert giveway.ray.options(5, device="cuda", num_gpus=2)["num_gpus"] == 2
    assert asked(giveway.ray.options(5, num_gpus=1)).device is None
    assert asked(giveway.ray.options(5, num_gpus=0)).device == "cpu"


def test_the_node_is_told_all_of_it() -> None:
    made = giveway.ray.options(
        -4, share="30%", device="hip", settings={"deadline": "20ms"}, name="it's a name"
    )
    assert made["name"] == "it's a name"
    settings = ("share=30%", "deadline=20ms")
    assert asked(made) == Asked(-4, "hip", "it's a name", settings)


@pytest.mark.parametrize(
    ("own", "python"),
    [
        ({}, NODE_PYTHON),
        ({"env_vars": {"A": "1"}}, NODE_PYTHON),
        ({"pip": ["x"]}, "python"),
        ({"conda": "env"}, "python"),
        ({"py_executable": "uv run --isolated", "pip": ["x"]}, "uv run --isolated"),
    ],
)
def test_the_python_of_the_environment_is_used(own: dict[str, Any], python: str) -> None:
    made = giveway.ray.options(device="cpu", runtime_env=own)
    assert made["runtime_env"]["py_executable"].startswith(f"{python} -c ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"priority": 1001}, "1001 is not in -1000…1000"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"share": 0}, "share cannot be '0'"),
        ({"settings": {"dedline": "1ms"}}, "did you mean 'deadline'?"),
        ({"runtime_env": {"image_uri": "x"}}, "'image_uri' starts workers in a way of its own"),
        ({"runtime_env": {"nsight": "default"}}, "'nsight' starts workers"),
    ],
)
def test_a_mistake_is_one_line(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(GivewayError) as caught:
        giveway.ray.options(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_train_is_told_the_same_resources() -> None:
    made = giveway.ray.options(device="cuda", num_cpus=2, resources={"big": 1})
    assert giveway.ray.worker_resources(made) == {"CPU": 2, "GPU": 0.05, "big": 1}
    assert giveway.ray.worker_resources(giveway.ray.options(device="cpu")) == {}


def test_what_another_version_asks_for_is_left_out_where_it_is_not_known() -> None:
    assert Asked.read('{"priority": 3, "colour": "red"}') == Asked(3)
    assert Asked.read(Asked(3, settings=("share=30",)).write()) == Asked(3, settings=("share=30",))


def started(tmp_path: Path, options: dict[str, Any], *search: Path) -> list[str]:
    """What the lines of a worker are, if bash starts one as Ray has it do that."""
    (tmp_path / "worker.py").write_text(
        "import os, sys\nprint(sys.argv[1:], os.environ.get('GIVEWAY_PRIORITY'))\n"
    )
    line = f"exec {options['runtime_env']['py_executable']} {tmp_path / 'worker.py'} --one 'a b'"
    done = subprocess.run(
        ["bash", "-c", line],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(map(str, search))},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return (done.stdout + done.stderr).splitlines()


def test_a_worker_gets_its_own_arguments(tmp_path: Path) -> None:
    own = {"py_executable": sys.executable}
    made = giveway.ray.options(6, device="cpu", name='a "b" $c', runtime_env=own)
    assert started(tmp_path, made) == ["['--one', 'a b'] 6"]


def test_a_worker_starts_where_giveway_is_missing(tmp_path: Path) -> None:
    (tmp_path / "giveway").mkdir()
    (tmp_path / "giveway" / "__init__.py").write_text("raise ImportError('not here')\n")
    made = giveway.ray.options(6, device="cpu", runtime_env={"py_executable": sys.executable})
    ran, said = started(tmp_path, made, tmp_path)
    assert ran == "['--one', 'a b'] None"
    assert said.startswith(f"giveway: {sys.executable} on ")
    assert said.endswith("has no giveway that fits: a worker runs ungated (not here)")


@pytest.mark.parametrize("module", ["giveway", "giveway.ray", "giveway.ray.start", "giveway.cli"])
def test_ray_is_not_imported_where_it_is_not_needed(module: str) -> None:
    code = f"import sys, {module}; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
