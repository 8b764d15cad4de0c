"""The stand-in behaves as AMD's runtimes require, so that tests over it are valid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rocm import stand_in
from tests.rocm.packages import Runtime
from tests.rocm.stand_in import FOLDER

pytestmark = pytest.mark.skipif(not FOLDER, reason="downloads AMD's runtimes: say make test-rocm")

Below = Callable[[Runtime], Path]


@pytest.mark.parametrize("gated", [False, True], ids=["alone", "gated"])
def test_order_and_time(
    gated: bool, runtime: Runtime, below: Below, kernels: Path, tmp_path: Path
) -> None:
    program = stand_in.build(runtime, "hip_order.c", tmp_path / "order")
    stand_in.run(runtime, below(runtime), tmp_path, [str(program), str(kernels)], gated=gated)


def test_a_device_has_its_own_page(
    runtime: Runtime, below: Below, kernels: Path, tmp_path: Path
) -> None:
    """Named after what the runtime says of it, whatever the program calls it."""
    program = stand_in.build(runtime, "hip_burst.c", tmp_path / "burst")
    more = {"GIVEWAY_FAKE_DEVICES": "2", "HIP_VISIBLE_DEVICES": "1"}
    command = [str(program), str(kernels), "other", "0.1"]
    seen = stand_in.run(runtime, below(runtime), tmp_path, command, more=more)
    assert [task["device"] for task in seen.tasks] == ["GPU-fa00000000000001"]
