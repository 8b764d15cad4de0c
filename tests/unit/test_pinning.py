"""Cores of their own for programs that share a GPU."""

from __future__ import annotations

import pytest

from giveway.bench import pinning


def test_programs_beside_a_gpu_have_cores_of_their_own() -> None:
    assert pinning.prefixes(["high", "low"], "cuda", [0, 1, 2, 5, 6]) == {
        "high": ("taskset", "--cpu-list", "0,1"),
        "low": ("taskset", "--cpu-list", "2,5"),
    }


@pytest.mark.parametrize(
    ("programs", "device", "cores"),
    [
        pytest.param(["a", "b"], "cpu", range(8), id="cores are what they share"),
        pytest.param(["a"], "cuda", range(8), id="one has all"),
        pytest.param(["a", "b"], "cuda", range(3), id="too few cores"),
    ],
)
def test_nobody_is_pinned(programs: list[str], device: str, cores: range) -> None:
    assert pinning.prefixes(programs, device, list(cores)) == {}


def test_nobody_is_pinned_where_there_is_no_taskset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert pinning.prefixes(["a", "b"], "cuda", list(range(8))) == {}
