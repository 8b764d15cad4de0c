"""What importing giveway does in an interpreter that has imported nothing yet."""

from __future__ import annotations

import subprocess
import sys

import pytest


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["giveway", "giveway.ray", "giveway.ray.start", "giveway.cli"])
def test_neither_ray_nor_torch_is_imported_where_it_is_not_needed(module: str) -> None:
    done = python(f"import sys, {module}; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert module in done.stdout.split()
    assert {"ray", "torch"}.isdisjoint(done.stdout.split())


def test_the_list_of_checks_does_not_load_torch() -> None:
    done = python(
        "import sys; from giveway.verify import check; check.builtin(); print(*sys.modules)"
    )
    assert "giveway.verify.checks.models" in done.stdout.split()
    assert "torch" not in done.stdout.split()


def test_a_program_that_nobody_gates_is_told() -> None:
    done = python("import giveway\nwith giveway.task(): print('ran')")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "RuntimeWarning: giveway: this program was not started by 'giveway run'" in done.stderr
