"""The hook of the cpu device against every OpenMP runtime that is installed here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from giveway import devices
from tests.conftest import GIVEWAY

INTEL = Path(sys.prefix) / "lib" / "libiomp5.so"


def libgomps() -> list[Path]:
    """The system's, and those that wheels bring along."""
    named = subprocess.run(
        ["cc", "-print-file-name=libgomp.so.1"], capture_output=True, text=True, check=True
    )
    found = [Path(named.stdout.strip())]
    found += Path(sys.prefix).glob("lib/python*/site-packages/**/libgomp*.so*")
    return [path for path in found if path.is_absolute()]


def exported(library: Path) -> set[str]:
    shown = subprocess.run(
        ["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True
    )
    return {line.split()[-1].split("@")[0] for line in shown.stdout.splitlines()}


@pytest.mark.parametrize("library", libgomps(), ids=str)
def test_every_way_to_open_a_region_is_hooked(library: Path) -> None:
    opens = {
        name
        for name in exported(library)
        if name.startswith("GOMP_parallel") or name == "GOMP_teams_reg"
    }
    assert "GOMP_parallel" in opens
    assert opens <= exported(devices.get("cpu").hook)


def test_the_hook_exports_nothing_else() -> None:
    names = exported(devices.get("cpu").hook)
    hooks = {name for name in names if name.startswith("GOMP_")}
    assert names - hooks == {
        "ompt_start_tool",
        "_ZN2at27getStepCallbacksUnlessEmptyENS_11RecordScopeE",
        "dlclose",
    }


def ompt(built: Path, *command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [*command, str(built.parent / "programs" / "ompt_program"), str(INTEL)],
        env={**os.environ, "OMP_NUM_THREADS": "2", **(env or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_regions_of_intels_runtime_are_seen_through_its_tool_interface(built: Path) -> None:
    assert ompt(built) == "launches 0 bodies 20"
    assert ompt(built, GIVEWAY, "run", "--") == "launches 10 bodies 20"


def test_a_tool_of_the_users_own_comes_first(built: Path) -> None:
    """The runtime takes one tool; the program then runs ungated and computes as always."""
    env = {"OMP_TOOL_LIBRARIES": "/nonexistent.so"}
    assert ompt(built, GIVEWAY, "run", "--", env=env) == "launches 0 bodies 20"
