"""Whatever starts without giveway starts with it: programs and children that cannot be gated."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.fake_gpu import BUILT
from tests.system.watching import tasks

BUILD = BUILT.parents[1] / "exec"
FOREIGN = BUILD / "foreign"
"""A program whose loader ends it with 127 if giveway is preloaded, as musl's does."""
WITH_ASAN = BUILD / "with_asan"
"""A program that ends with 1 unless its AddressSanitizer, which is simulated, comes first."""
PLAIN = BUILD / "plain"
"""A program that prints LD_PRELOAD."""
RUNTIME = BUILD / "libasan.so.99"
ALONE = "it runs ungated, and so do the programs that it starts"


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (FOREIGN, "uses musl, not glibc"),
        (WITH_ASAN, "is built with AddressSanitizer, whose runtime is not in LD_PRELOAD"),
    ],
)
def test_a_program_that_giveway_cannot_be_loaded_into_starts(
    giveway: Runner, program: Path, why: str
) -> None:
    done = giveway("run", "--", str(program))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"giveway: {program} {why}: {ALONE}\n"


def test_ps_and_doctor_say_why_a_program_is_not_gated(giveway: Runner, spawn: Spawner) -> None:
    run = (GIVEWAY, "run", "--name", "stays", "--", str(FOREIGN))
    process = spawn(*run, env={"STAY": ""})
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    why = "uses musl, not glibc"
    stays = {"pid": process.pid, "name": "stays", "device": "cpu", "why": why}
    assert json.loads(giveway("ps", "--json").stdout)["not_gated"] == [stays]
    assert giveway("ps").stdout.splitlines()[-1] == f"stays ({process.pid}) {why}"
    assert json.loads(giveway("doctor", "--json").stdout)["not_gated"] == [stays]
    done = giveway("doctor")
    assert f"stays ({process.pid}) is not gated: it {why}" in done.stdout.splitlines()
    assert done.returncode == 0


def test_so_does_a_script_of_such_a_program(giveway: Runner, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!/usr/bin/env {FOREIGN.name}\n")
    script.chmod(0o755)
    env = {"PATH": f"{BUILD}:{os.environ['PATH']}"}
    done = giveway("run", "--", str(script), env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"giveway: {script} uses musl, not glibc: {ALONE}\n"


def test_a_static_program_runs_and_its_children_are_gated(giveway: Runner) -> None:
    loader = BUILD / "ld-musl-stand-in.so.1"  # a static program, started as one
    done = giveway("run", "--", str(loader))
    assert done.returncode == 127  # it found giveway's libraries in the environment
    assert done.stderr == (
        f"giveway: {loader} is statically linked: it runs ungated, the programs that it starts "
        "are gated\n"
    )


def test_other_libraries_of_the_user_stay_preloaded(giveway: Runner) -> None:
    env = {"LD_PRELOAD": "libm.so.6"}
    done = giveway("run", "--", str(FOREIGN), env=env)
    assert (done.returncode, done.stdout) == (0, "libm.so.6")
    inside = giveway("run", "--", GIVEWAY, "run", "--", str(FOREIGN), env=env)
    assert (inside.returncode, inside.stdout) == (0, "libm.so.6")


def test_the_sanitizers_runtime_stays_first_where_the_user_preloads_it(giveway: Runner) -> None:
    for program in (WITH_ASAN, PLAIN):
        done = giveway("run", "--", str(program), env={"LD_PRELOAD": str(RUNTIME)})
        assert (done.returncode, done.stderr) == (0, "")
        names = [Path(entry).name for entry in done.stdout.split(":")]
        assert names == ["libasan.so.99", "libgiveway-cpu.so", "libgiveway-exec.so"]


@pytest.mark.parametrize("program", [FOREIGN, WITH_ASAN])
def test_children_that_cannot_be_gated_start_too(giveway: Runner, program: Path) -> None:
    shell = f"{program}; echo $?; exec {program}"
    done = giveway("run", "--", "sh", "-c", shell)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    code = f"import subprocess, sys; sys.exit(subprocess.run([{str(program)!r}]).returncode)"
    done = giveway("run", "--", sys.executable, "-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_its_brothers_are_gated(giveway: Runner) -> None:
    done = giveway("run", "--", "sh", "-c", f"{FOREIGN}; {PLAIN}")
    assert "libgiveway-cpu.so" in done.stdout
    assert done.stderr == ""


def test_a_child_that_can_be_gated_joins(spawn: Spawner, regions_program: str) -> None:
    process = spawn(GIVEWAY, "run", "--name", "child", "--", "sh", "-c", f"{regions_program}; :")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert list(tasks()) == ["child"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make a program another user's")
def test_a_set_user_id_program_runs(giveway: Runner, tmp_path: Path) -> None:
    program = tmp_path / "program"
    shutil.copy(PLAIN, program)
    os.chown(program, 1, 1)
    program.chmod(0o4755)
    if os.statvfs(program).f_flag & os.ST_NOSUID:
        pytest.skip("the folder of tests is mounted nosuid")
    done = giveway("run", "--", str(program))
    assert done.returncode == 0
    assert done.stderr == f"giveway: {program} runs with rights of its own: {ALONE}\n"
