"""A program whose launches are gated, without torch."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Spawner

Regions = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def regions_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    program = tmp_path_factory.mktemp("regions") / "regions"
    source = Path(__file__).with_name("regions.c")
    subprocess.run(["cc", "-O1", "-fopenmp", str(source), "-o", str(program)], check=True)
    return str(program)


@pytest.fixture
def regions(spawn: Spawner, regions_program: str) -> Regions:
    """Starts a busy program under ``giveway run OPTIONS…`` and waits for its first launch."""

    def start(*options: str) -> subprocess.Popen[str]:
        process = spawn(GIVEWAY, "run", *options, "--", regions_program)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    return start
