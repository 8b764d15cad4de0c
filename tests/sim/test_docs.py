"""The examples in the pages about policies and scenarios work."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from giveway.cli import simulate
from giveway.scenarios.schema import LAUNCHES, SIMULATION
from giveway.sched.attributes import KINDS
from giveway.sched.policies import registry
from tests.sim.test_load import SIMULATED

DOCS = Path(__file__).parents[2] / "docs"
OWN = (DOCS / "guides" / "own-policy.md").read_text()
POLICIES = (DOCS / "concepts" / "policies.md").read_text()
SCENARIOS = (DOCS / "reference" / "scenario.md").read_text()


def test_a_policy_in_20_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", OWN, re.DOTALL)
    assert len(code.strip().splitlines()) <= 20
    (tmp_path / "least_used.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    policy = "least_used:LeastUsed,slice=5ms"
    options = ["-p", policy, "--json", "--duration", "3s"]
    done = CliRunner().invoke(simulate.command, ["starve", *options])
    assert done.exit_code == 0, done.output
    text = done.stdout
    assert '"failure": null' in text
    assert text.count('"share_of_alone": 0.5') + text.count('"share_of_alone": 0.49') == 2


def test_the_entry_point_is_the_group_that_is_looked_up() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", OWN, re.DOTALL)
    points = tomllib.loads(text)["project"]["entry-points"]
    assert list(points) == [registry.GROUP]


def test_all_policies_attributes_and_keys_are_listed() -> None:
    rows = re.findall(r"^\| ([^|]*)\|", POLICIES + SCENARIOS, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert listed >= {*registry.BUILT_IN, *KINDS, *SIMULATION, *LAUNCHES}


def test_the_tables_have_every_policy_and_scenario() -> None:
    tables = POLICIES.split("<!-- tables", 1)[1].split("**")[1:]
    titles, bodies = tables[::2], tables[1::2]
    # A simulation knows nothing of quotas: the scenario quota would repeat dual.
    assert sorted(titles) == sorted({*SIMULATED} - {"quota"})
    for body in bodies:
        assert set(re.findall(r"`([^`]+)`", body.split("<!--")[0])) == set(registry.BUILT_IN)
