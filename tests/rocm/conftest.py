"""What the tests on AMD's runtimes share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rocm import stand_in
from tests.rocm.packages import RELEASES, Release, Runtime

WITH_STAND_IN = RELEASES[1:]
"""5.2.3 has other headers, and the tests have no program for it."""


@pytest.fixture(scope="session")
def below(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Runtime], Path]:
    """The stand-in that goes below a runtime, built once."""
    built: dict[Path, Path] = {}

    def build(runtime: Runtime) -> Path:
        if runtime.root not in built:
            folder = tmp_path_factory.mktemp("hsa")
            built[runtime.root] = stand_in.build_hsa(runtime, folder)
        return built[runtime.root]

    return build


@pytest.fixture(scope="session")
def kernels(below: Callable[[Runtime], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A code object for the stand-in's GPU."""
    runtime = stand_in.need(RELEASES[2])
    return stand_in.build_kernels(below(runtime), tmp_path_factory.mktemp("kernels"))


@pytest.fixture(params=WITH_STAND_IN, ids=lambda release: release.version)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each of the runtimes that the stand-in goes below."""
    release: Release = request.param
    return stand_in.need(release)
