"""Policies by name: ours, those of packages, a user's own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from giveway.errors import UsageError
from giveway.sched.policies import registry

MINE = """
from giveway.policies import Policy
class Mine(Policy):
    "A policy of my own."
    name = "mine"
    def __init__(self, *, depth: int = 3, gap_ns: int = 0, factor: float = 1.0, label: str = ""):
        self.depth, self.gap_ns, self.factor, self.label = depth, gap_ns, factor, label
    def decide(self, event, view, now):
        return ()
class Moody(Mine):
    def __init__(self): raise RuntimeError("not today\\nnor tomorrow")
class Nameless(Policy):
    def decide(self, event, view, now): return ()
class Undecided(Policy):
    name = "undecided"
NOT_ONE = 5
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user is in a folder with a module of policies."""
    (tmp_path / "my_policies.py").write_text(MINE)
    (tmp_path / "faulty.py").write_text("import nothing_of_that_name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_policies", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_policy_of_ours_is_what_it_is_called(name: str) -> None:
    assert registry.make(name).name == name
    said = registry.describe(name)
    assert said.endswith(".")
    assert "\n" not in said


@pytest.mark.usefixtures("mine")
def test_a_users_own() -> None:
    path = list(sys.path)
    policy = registry.make("my_policies:Mine,depth=5,gap=2ms,factor=0.5,label=a")
    assert policy.name == "mine"
    assert vars(policy) == {"depth": 5, "gap_ns": 2_000_000, "factor": 0.5, "label": "a"}
    assert registry.describe("my_policies:Mine") == "A policy of my own."
    assert sys.path == path


def test_one_that_a_package_adds(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = mine / "added-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[giveway.policies]\nown = my_policies:Mine\n")
    monkeypatch.syspath_prepend(mine)
    importlib.invalidate_caches()
    assert "own" in registry.names()
    assert registry.make("own,depth=1").name == "mine"
    with pytest.raises(UsageError, match="did you mean 'own'"):
        registry.make("owm")


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("priorty", "unknown policy 'priorty': did you mean 'priority'?"),
        ("", "unknown policy '': there are "),
        ("no_such_module:X", "ModuleNotFoundError"),
        ("faulty:X", "nothing_of_that_name"),
        ("my_policies:Mime", "has no attribute 'Mime'"),
        ("my_policies:NOT_ONE", "not a policy"),
        ("my_policies:Undecided", "no method decide"),
        ("my_policies:Nameless", "no name"),
        ("my_policies:Moody", "RuntimeError: not today nor tomorrow"),
        ("my_policies:Mine,dept=1", "no parameter 'dept': did you mean 'depth'?"),
        ("my_policies:Mine,depth=much", "depth of policy my_policies:Mine cannot be 'much'"),
        ("my_policies:Mine,depth", "has no value"),
        ("my_policies:Mine,gap=2", "no unit"),
        ("priority,k=2", "it has none"),
    ],
)
def test_what_is_no_policy_is_said_in_one_line(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry.make(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
