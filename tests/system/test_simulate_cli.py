"""``giveway simulate``, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Runner, one_line

SCENARIO = """
[simulation]
duration = "600ms"
warm = "100ms"
[[program]]
name = "serve"
arrivals = "fixed"
period = "20ms"
launches = 20
launch = "100us"
priority = 10
deadline = "10ms"
[[program]]
name = "train"
arrivals = "saturating"
launches = 50
launch = "200us"
"""
MINE = """
from giveway.policies import Policy, everyone
class Open(Policy):
    name = "open"
    def decide(self, event, view, now):
        return [everyone(view, event.device)]
class Closed(Policy):
    name = "closed"
    def decide(self, event, view, now):
        from giveway.task import Close
        return [Close(task.id) for task in view.on(event.device)]
class Broken(Policy):
    name = "broken"
    def decide(self, event, view, now):
        raise KeyError("where is it")
"""


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "s.toml").write_text(SCENARIO)
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return "s.toml"


def test_a_table(giveway: Runner, scenario: str) -> None:
    done = giveway("simulate", scenario, "-p", "priority", "-p", "edf,k=2")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "s: 0.5 s on 1 device, seed 0, simulated"
    assert [line.split()[:2] for line in lines[2:8]] == [
        [policy, task] for policy in ("alone", "priority", "edf,k=2") for task in ("serve", "train")
    ]


def test_json_is_the_same_twice(giveway: Runner, scenario: str) -> None:
    arguments = ("simulate", scenario, "--policy", "all", "--json", "--seed", "5")
    first, again = giveway(*arguments), giveway(*arguments)
    assert first.stdout == again.stdout
    result = json.loads(first.stdout)
    assert (result["schema"], result["seed"]) == (1, 5)
    assert len(result["policies"]) == 11
    for run in result["policies"].values():
        assert (run["refused"], run["failure"]) == (0, None)
    assert result["policies"]["priority"]["tasks"]["serve"]["p99_ms"] < 3


def test_a_plot(giveway: Runner, scenario: str) -> None:
    done = giveway("simulate", scenario, "--plot", "out.svg", "--span", "50ms")
    assert done.returncode == 0
    assert Path("out.svg").read_text().startswith("<svg ")


def test_a_users_policies(giveway: Runner, scenario: str) -> None:
    names = [f"mine:{name}" for name in ("Open", "Closed", "Broken")]
    done = giveway("simulate", scenario, *(part for name in names for part in ("-p", name)))
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine:Closed: " in done.stdout
    assert "decisions refused, such as: all active tasks on d0 would wait" in done.stdout
    assert "mine:Broken failed, and strict priority went on:\nTraceback" in done.stdout
    assert "where is it" in done.stdout


def test_a_mistake_is_one_line(giveway: Runner, scenario: str) -> None:
    done = giveway("simulate", scenario, "-p", "priorty")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'priority'?" in one_line(done.stderr)


def test_a_placement(giveway: Runner, scenario: str) -> None:
    done = giveway("simulate", scenario, "--placement", "urgent")
    words = "placement urgent: 0 of 1 urgent tasks share a device with another; others run on 1"
    assert words in done.stdout
    told = json.loads(giveway("simulate", scenario, "--json").stdout)
    assert told["policies"]["priority"]["placement"]["kind"] == "next"
