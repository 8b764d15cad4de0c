"""`ps` and `set` on real programs."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.watching import goes_on, stands_still, task_of
from tests.waiting import eventually


def ps(giveway: Runner) -> dict[str, Any]:
    done = giveway("ps", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def task(giveway: Runner, pid: int) -> dict[str, Any]:
    (found,) = (task for task in ps(giveway)["tasks"] if task["pid"] == pid)
    return dict(found)


def test_ps_shows_who_runs_and_who_is_held(
    giveway: Runner, regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")  # no turns
    low = regions("--name", "low").pid
    high = regions("--name", "high", "--priority", "10").pid
    assert eventually(lambda: task_of(low).held_seconds > 0.5)
    assert goes_on(high)
    # Where the machine stalls the urgent one between two launches, it is idle.
    assert eventually(
        lambda: (task(giveway, high)["state"], task(giveway, low)["state"]) == ("active", "held")
    )
    shown = task(giveway, high)
    assert (shown["name"], shown["priority"], shown["is_thread"]) == ("high", 10, False)
    assert (shown["held_seconds"], shown["preemptions"]) == (0, 0)
    assert shown["launches"] > 20
    shown = task(giveway, low)
    assert (shown["name"], shown["priority"], shown["is_thread"]) == ("low", 0, False)
    assert shown["held_seconds"] > 0.5
    assert shown["preemptions"] >= 1

    header, first, second = giveway("ps").stdout.splitlines()
    user = getpass.getuser()
    assert first.split()[:5] == ["cpu", str(high), user, "high", "10"]
    assert first.split()[5] in ("active", "idle")
    assert second.split()[:5] == ["cpu", str(low), user, "low", "0"]
    assert first.endswith("/regions")  # the command
    # Right-aligned: numbers end where their title ends.
    end = header.index("PRIORITY") + len("PRIORITY")
    assert (first[end - 2 : end], second[end - 2 : end]) == ("10", " 0")


def test_ps_forgets_a_program_that_has_ended(giveway: Runner, regions: Regions) -> None:
    process = regions()
    assert task(giveway, process.pid)
    process.kill()
    process.wait()
    assert ps(giveway)["tasks"] == []


def test_ps_lists_the_programs_that_are_not_gated(giveway: Runner, spawn: Spawner) -> None:
    process = spawn(GIVEWAY, "run", "--name", "sleeper", "--", "sh", "-c", "echo; sleep 60; true")
    assert process.stdout is not None
    process.stdout.readline()
    sleeper = {"pid": process.pid, "name": "sleeper", "device": "cpu", "why": None}
    assert sleeper in ps(giveway)["not_gated"]
    line = next(line for line in giveway("ps").stdout.splitlines() if "sleeper" in line)
    assert "not gated" in line


def test_a_name_cannot_act_on_the_terminal(
    giveway: Runner, spawn: Spawner, regions_program: str
) -> None:
    name = "\x1b[2J\nroot\x9b"
    code = f"GIVEWAY_NAME=$(printf '\\033[2J\\nroot\\302\\233') exec {regions_program}"
    process = spawn(GIVEWAY, "run", "--", "sh", "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    (found,) = ps(giveway)["tasks"]
    assert found["name"] == name
    for command in (["ps"], ["top"], ["set", str(process.pid), "share=5"]):
        done = giveway(*command)
        assert done.returncode == 0
        assert r"\x1b[2J\nroot\x9b" in done.stdout
        assert all(line.isprintable() for line in done.stdout.splitlines())


def test_ps_leaves_out_what_has_other_gate_pages(
    giveway: Runner, spawn: Spawner, tmp_path: Path
) -> None:
    program = ("sh", "-c", "echo; sleep 60; true")
    env = {"GIVEWAY_DIR": str(tmp_path / "other")}
    process = spawn(GIVEWAY, "run", "--", *program, env=env)
    assert process.stdout is not None
    process.stdout.readline()
    assert ps(giveway)["not_gated"] == []
    assert giveway("ps", env=env).stdout.count("not gated") == 1


def test_a_program_is_gated_when_its_child_is(
    giveway: Runner, spawn: Spawner, regions_program: str
) -> None:
    process = spawn(GIVEWAY, "run", "--", "sh", "-c", f"{regions_program}; true")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    document = ps(giveway)
    (child,) = document["tasks"]
    assert child["pid"] != process.pid
    assert process.pid not in [other["pid"] for other in document["not_gated"]]


def test_set_changes_who_is_held(
    giveway: Runner, regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")  # no turns
    first, second = regions("--priority", "1").pid, regions("--priority", "2").pid
    assert eventually(lambda: stands_still(first, second))
    done = giveway("set", str(first), "--priority", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"regions ({first}): priority 1 → 3\n"
    assert eventually(lambda: stands_still(second, first))
    assert task(giveway, first)["priority"] == 3


@pytest.mark.parametrize("options", [[], ["--name", "nobody"]])
def test_set_says_that_there_is_no_such_task(
    giveway: Runner, regions: Regions, options: list[str]
) -> None:
    process = regions("--name", "somebody")
    pid = process.pid if options else os.getpid()
    done = giveway("set", str(pid), "--priority", "3", *options)
    assert (done.returncode, done.stdout) == (4, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"giveway: process {pid} has no task")
