"""What the daemon's log says about slack."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import pytest

from giveway.cli.events import line
from giveway.sched.policies import registry
from tests.unit.virtual_page import MS, Machine

UNKNOWN, WITHIN, BEYOND = (1, 0, 100_000), (2, 970_000, 100_000), (3, 400_000, 100_000)
NONE = (0, 0, 0)
CHANGED = "the work or the others have changed"


class Pair(Machine):
    """A busy task that tolerates 10 %, and a less urgent one."""

    def __init__(self, policy: str = "priority") -> None:
        super().__init__(registry.make(policy))
        self.low = self.page.join()
        self.urgent = self.page.join("slowdown=10%", priority=10)
        self.run(1)

    def spend(self, blocks: int, slack: tuple[int, int, int], *, open_ms: int = 3) -> None:
        """Blocks of 10 ms, of which others run for a part."""
        self.urgent.slack = slack
        for _ in range(blocks):
            self.page.share(self.urgent, True)
            self.run(open_ms)
            self.page.share(self.urgent, False)
            self.run(10 - open_ms)
            self.urgent.beside_ns += open_ms * MS
            self.urgent.contended_ns += 10 * MS

    @property
    def gates(self) -> list[dict[str, Any]]:
        """The events about the gate of the less urgent task."""
        return [e for e in self.events("held", "opened") if e["name"] == "task1"]


def test_a_change_of_the_slack_is_logged_with_its_reason_and_its_numbers() -> None:
    machine = Pair()
    for slack in (UNKNOWN, WITHIN, BEYOND, UNKNOWN, NONE):
        machine.urgent.slack = slack
        machine.run(3000)
    assert [e["why"] for e in machine.events("slack")] == [
        "nothing known yet: slowdown unknown, tolerance 10%, credit 4.1ms",
        "measured: slowdown 3.1%, at most 10% at 3 standard errors, credit 4.1ms",
        f"{CHANGED}: slowdown 150.0%, more than 10% at 3 standard errors, credit 4.1ms",
        f"{CHANGED}: slowdown unknown, tolerance 10%, credit 4.1ms",
        "the tolerance is 0 now",
    ]
    fields = machine.events("slack")[1]
    assert fields["slowdown"] == pytest.approx(3.09, abs=0.01)
    assert (fields["slack"], fields["reason"], fields["tolerance"]) == ("within", "measured", 10)
    assert (fields["credit_seconds"], fields["together"]) == (0.0041, None)


def test_blocks_are_summed_up() -> None:
    machine = Pair()
    machine.spend(2500, UNKNOWN)
    first, *sums = machine.events("slack")
    assert first["reason"] == "nothing known yet"
    assert {e["reason"] for e in sums} == {"no change"}
    assert 1900 <= sum(e["blocks"] for e in sums) <= 2500
    assert [e["together"] for e in sums] == pytest.approx([30] * len(sums), abs=1)
    assert "together 30%, 1000 blocks" in sums[-1]["why"]
    assert [e["what"] for e in machine.gates] == ["held"]


def test_the_gate_of_a_held_task_is_logged_when_others_may_always_run_and_when_not() -> None:
    machine = Pair()
    for slack, open_ms in ((UNKNOWN, 1), (WITHIN, 9), (BEYOND, 2)):
        machine.spend(300, slack, open_ms=open_ms)
    first, opened, held = machine.gates
    assert [e["what"] for e in (first, opened, held)] == ["held", "opened", "held"]
    urgent = {"device": "cpu", "pid": os.getpid(), "name": "task2"}
    assert opened["by"] == held["by"] == urgent
    assert opened["why"] == "slowdown 3.1%, at most 10% at 3 standard errors"
    assert held["why"] == "slowdown 150.0%, more than 10% at 3 standard errors"
    assert [e.get("slack") for e in (first, opened, held)] == [None, "within", "beyond"]
    task = f"task2 ({os.getpid()})"
    assert line(opened).endswith(f" beside {task} ({opened['why']}; slack within)")
    assert line(held).endswith(f" for {task} ({held['why']}; slack beyond)")


def test_a_task_that_is_held_by_priority_is_told_the_slack_of_the_other() -> None:
    machine = Pair()
    machine.urgent.slack = BEYOND
    machine.run(200)
    machine.page.set_active(machine.urgent, False)
    machine.run(1)
    machine.page.set_active(machine.urgent, True)
    machine.run(1)
    held = machine.gates[-1]
    assert (held["what"], held["why"], held["slack"]) == ("held", "priority", "beyond")
    assert line(held).endswith(" (priority; slack beyond)")


def test_a_task_that_tolerates_nothing_any_more_holds_others_again() -> None:
    machine = Pair()
    machine.spend(100, WITHIN, open_ms=9)
    machine.page.share(machine.urgent, False)
    machine.urgent.slack = NONE
    machine.run(200)
    assert [e["what"] for e in machine.gates] == ["held", "opened", "held"]
    assert machine.gates[-1]["why"] == "the tolerance is 0 now"


def test_a_slack_that_keeps_changing_is_logged_less_and_less_often() -> None:
    machine = Pair()
    for _ in range(150):
        machine.spend(10, WITHIN, open_ms=9)
        machine.spend(10, BEYOND)
    events = machine.events("slack")
    gaps = [after["time"] - before["time"] for before, after in pairwise(events)]
    assert gaps[:4] == pytest.approx([1, 2, 4, 8], abs=0.25)
    assert all(10 <= gap < 10.5 for gap in gaps[4:])
    assert max(e["changes"] for e in events) > 50
    assert len(machine.gates) <= len(events) + 1

    machine.run(30_000)
    machine.spend(20, UNKNOWN)
    assert machine.events("slack")[-1]["reason"] == CHANGED  # at once


def test_the_gate_is_open_again_when_the_task_with_the_slack_has_no_more_work() -> None:
    machine = Pair()
    machine.spend(5, UNKNOWN)
    machine.page.share(machine.urgent, True)
    machine.run(1)
    machine.page.set_active(machine.urgent, False)
    machine.run(1)
    assert [e["what"] for e in machine.gates] == ["held", "opened"]
    machine.page.share(machine.urgent, False)
    machine.page.set_active(machine.urgent, True)
    machine.run(1)
    machine.page.leave_row(machine.urgent)
    machine.run(1)
    assert [e["what"] for e in machine.gates] == ["held", "opened"] * 2
    assert {e["why"] for e in machine.gates} == {"priority"}


def test_blocks_of_a_policy_that_knows_no_slack_are_not_counted() -> None:
    machine = Pair("rr")
    machine.spend(200, UNKNOWN)
    assert [e["blocks"] for e in machine.events("slack")] == [0]
    assert len(machine.gates) > 100  # its turns
