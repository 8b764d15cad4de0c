"""`ps --ray` on a cluster whose nodes do not answer, without Ray."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from giveway.cli.live import cluster
from giveway.errors import ClusterError
from giveway.ray.observers import _problem
from giveway.ray.view import Node
from giveway.version import __version__

SILENT = Node("a1", "1.2.3.4", "one", problem="does not answer")


def show(monkeypatch: pytest.MonkeyPatch, *nodes: Node, as_json: bool = False) -> int:
    """Shows these nodes."""

    class Observers:
        def __init__(self, ray: Any) -> None: ...

        def update(self, seconds: float) -> list[Node]:
            return list(nodes)

    @contextlib.contextmanager
    def connected(address: str | None) -> Iterator[None]:
        yield

    monkeypatch.setattr(cluster, "connected", connected)
    monkeypatch.setattr(cluster, "Observers", Observers)
    return cluster.show("", None, as_json=as_json)


def test_where_no_node_answers_nobody_says_that_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ClusterError, match="no node of the cluster lists its tasks"):
        show(monkeypatch, SILENT)
    said = capsys.readouterr()
    assert "one (1.2.3.4) does not answer" in said.out
    assert "No program runs" not in said.err
    with pytest.raises(ClusterError):
        show(monkeypatch, SILENT, as_json=True)
    assert json.loads(capsys.readouterr().out)["nodes"][0]["problem"] == "does not answer"


def test_where_one_answers_that_is_what_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(monkeypatch, SILENT, Node("b1", "1.2.3.5", "two", __version__)) == 0
    assert "No program runs under giveway" in capsys.readouterr().err


def test_what_was_raised_on_a_node_is_said() -> None:
    assert (
        _problem(ZeroDivisionError("by zero. Really"))
        == "cannot read its tasks: ZeroDivisionError: by zero"
    )
    assert _problem(ImportError("none")) == "has no giveway that fits (none)"
