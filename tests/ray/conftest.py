"""One Ray cluster for all tests here. ``make test-ray`` installs Ray and selects these tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.ray import cluster as clusters
from tests.ray.cluster import LocalCluster

Driver = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips these tests, unless they are selected."""
    reason = "" if os.environ.get("GIVEWAY_RAY") else "make test-ray runs it"
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
            # Ray's own, in this process, are not ours to mend.
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Two nodes with four devices each, and two that are not as they should be."""
    before = dict(os.environ)
    for name in [key for key in os.environ if key.startswith(("GIVEWAY_", "LD_PRELOAD"))]:
        del os.environ[name]
    os.environ.update(clusters.SETTINGS)
    try:
        with clusters.running() as started:
            yield started
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def connected(cluster: LocalCluster) -> Iterator[Any]:
    """Ray, connected to the cluster."""
    import ray

    ray.init(cluster.address, namespace="tests", logging_level="error", log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def ray(connected: Any) -> Iterator[Any]:
    """Ray, connected. The actors of a test end with the test."""
    started: list[Any] = []
    yield _Keeping(connected, started)
    for actor in started:
        connected.kill(actor)
    until = time.monotonic() + 20
    while connected.available_resources().get("GPU") != connected.cluster_resources()["GPU"]:
        assert time.monotonic() < until, "devices are not free again"
        time.sleep(0.1)


class _Keeping:
    """Ray, which remembers the actors of `start`."""

    def __init__(self, module: Any, started: list[Any]) -> None:
        self._module = module
        self._started = started

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def start(self, kind: type, *arguments: Any, **options: Any) -> Any:
        """Starts an actor of a class, with options."""
        actor = self._module.remote(kind).options(**options).remote(*arguments)
        self._started.append(actor)
        return actor


@pytest.fixture
def driver(cluster: LocalCluster) -> Driver:
    """Runs Python code as a program of its own that is connected to the cluster."""

    def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
        connect = f"import ray, giveway.ray\nray.init({cluster.address!r}, logging_level='error')\n"
        return subprocess.run(
            [sys.executable, "-c", connect + code],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run
