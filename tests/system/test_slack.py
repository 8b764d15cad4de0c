"""Slack with real programs, on a fake GPU on which they run side by side."""

from __future__ import annotations

import subprocess
from pathlib import Path

from giveway.sched.task import Task
from tests.conftest import GIVEWAY, Spawner
from tests.system.fake_gpu import UUID
from tests.system.watching import goes_on, tasks
from tests.waiting import eventually


def test_the_price_of_time_together_is_measured_and_changes_with_the_work(
    spawn: Spawner, cuda: Path
) -> None:
    def start(name: str, *arguments: str) -> subprocess.Popen[str]:
        run = (GIVEWAY, "run", "--device", "cuda", "--name", name, *arguments)
        program = spawn(*run, env={"GIVEWAY_FAKE_BESIDE": "light*train=1.02,heavy*train=3"})
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        return program

    def urgent() -> Task:
        return tasks()["urgent"]

    def share_beside(task: Task) -> float:
        return task.beside_seconds / task.contended_seconds

    kinds = str(cuda / "kinds")
    options = ("--priority", "10", "--slowdown", "50%")
    low = start("low", "--", kinds, "ns_100000_train")
    program = start("urgent", *options, "--", kinds, "ns_100000_light", "ns_100000_heavy")

    assert eventually(lambda: urgent().price == "cheap", 120)
    assert urgent().tolerance == 50
    assert eventually(lambda: share_beside(urgent()) > 0.6, 120)
    assert goes_on(low.pid, 500, UUID)

    assert program.stdin is not None
    program.stdin.write("\n")
    program.stdin.flush()
    assert eventually(lambda: (urgent().slowdown or 0) > 60, 120)
    assert goes_on(low.pid, 50, UUID)  # for the credit
