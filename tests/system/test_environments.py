"""What shells, Jupyter and the reader of manual pages make of what giveway writes for them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, UNPRIVILEGED, Runner, one_line

SHELLS = ("sh", "bash", "zsh", "fish")


def shell(name: str, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    path = f"{Path(GIVEWAY).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [name, "-c", script],
        env={**os.environ, "PATH": path, "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_starts_gated_programs(name: str, tmp_path: Path) -> None:
    options = '--device cpu --priority -5 --name "it\'s mine"'
    take = f'eval "$(giveway env {options})"'
    if name == "fish":
        take = f"giveway env {options} --format fish | source"
    code = 'import os; print(os.environ["GIVEWAY_NAME"], os.environ["GIVEWAY_PRIORITY"])'
    show = f"python3 -c '{code}'"
    loaded = "grep -c libgiveway-cpu /proc/self/maps"
    done = shell(name, f"{take}; {show}; {loaded}", GIVEWAY_DIR=str(tmp_path), GIVEWAY_NAME="old")
    said, count = done.stdout.splitlines()
    assert said == "it's mine -5"
    assert int(count) > 0


def test_a_file_is_read_back(giveway: Runner) -> None:
    lines = giveway("env", "--device", "cpu", "--priority", "7", "--format", "file").stdout
    values = dict(line.split("=", 1) for line in lines.splitlines())
    assert (values["GIVEWAY_PRIORITY"], values["GIVEWAY_DEVICE"]) == ("7", "cpu")
    assert Path(values["LD_PRELOAD"].split(":")[0]).exists()
    assert "GIVEWAY_NAME" not in values


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_completion_script_is_one_of_its_shell(name: str, giveway: Runner) -> None:
    script = giveway("completion", name).stdout
    assert "_GIVEWAY_COMPLETE" in script
    done = shell(name, "true")
    assert done.returncode == 0
    read = subprocess.run([name, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


def test_bash_completes_commands_and_options(giveway: Runner) -> None:
    script = giveway("completion", "bash").stdout
    ask = 'COMP_WORDS=({0}); COMP_CWORD={1}; _giveway_completion giveway; echo "${{COMPREPLY[@]}}"'
    for words, expected in (("giveway co", "compare"), ("giveway run --pri", "--priority")):
        done = shell("bash", f"{script}\n{ask.format(words, len(words.split()) - 1)}")
        assert expected in done.stdout.split()


def test_a_kernel_is_installed_for_jupyter(giveway: Runner, tmp_path: Path) -> None:
    # The name of an environment's Python is a link to the system's, and stays.
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    done = giveway(
        *("kernel", "install", "--priority", "-10", "--name", "low", "--python", str(python)),
        env={"JUPYTER_DATA_DIR": str(tmp_path)},
    )
    written = tmp_path / "kernels" / "low" / "kernel.json"
    assert done.stdout == f"{written}\n"
    kernel = json.loads(written.read_text())
    assert Path(kernel["argv"][0]).name == "giveway"
    assert Path(kernel["argv"][0]).exists()
    assert kernel["argv"][1:] == [
        *("run", "--priority", "-10", "--name", "notebook low", "--", str(python)),
        *("-m", "ipykernel_launcher", "-f", "{connection_file}"),
    ]
    assert kernel["language"] == "python"


def test_a_kernel_without_a_priority_leaves_it_to_the_configuration(
    giveway: Runner, tmp_path: Path
) -> None:
    giveway("kernel", "install", env={"JUPYTER_DATA_DIR": str(tmp_path)})
    kernel = json.loads((tmp_path / "kernels" / "giveway" / "kernel.json").read_text())
    assert "--priority" not in kernel["argv"]
    assert kernel["display_name"] == "Python (giveway)"


def test_a_kernel_that_cannot_be_named_is_not_written(giveway: Runner, tmp_path: Path) -> None:
    environment = {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path)}
    done = giveway("kernel", "install", "--name", "../x", env=environment)
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("python", "says"),
    [("/no/such/python", "does not exist"), ("/etc/passwd", "is not executable")],
)
def test_a_kernel_whose_python_cannot_start_is_not_written(
    giveway: Runner, tmp_path: Path, python: str, says: str
) -> None:
    environment = {"JUPYTER_DATA_DIR": str(tmp_path)}
    done = giveway("kernel", "install", "--python", python, env=environment)
    assert done.returncode == 2
    assert f"{python}' {says}" in one_line(done.stderr)
    assert not list(tmp_path.iterdir())


def test_a_kernel_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = subprocess.run(
        [*UNPRIVILEGED, GIVEWAY, "kernel", "install"],
        env={**os.environ, "JUPYTER_DATA_DIR": str(tmp_path / "locked")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    folder = tmp_path / "locked" / "kernels" / "giveway"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"giveway: cannot make {folder}: Permission denied\n"


def test_the_manual_page_is_one(giveway: Runner, tmp_path: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("no man here")
    page = tmp_path / "giveway.1"
    page.write_text(giveway("man").stdout)
    read = subprocess.run(
        ["man", "--warnings=w", "-l", str(page)],
        env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (read.returncode, read.stderr) == (0, "")
    assert "giveway run [OPTIONS] -- CMD [ARGS]" in read.stdout
