"""The list of hooks says how each machine passes arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import generate_shim

HIP = Path(__file__).parents[2] / "native/gpu/hip"


def hook_of(name: str, machine: str) -> str:
    """The C code of one hook on a machine."""
    symbols = [each for each in generate_shim.read_symbols(HIP / "symbols.txt") if not each.size]
    hooks = generate_shim.match_hooks(HIP / "hooks.txt", symbols, machine)
    return generate_shim.hook_source(name, hooks[name])


@pytest.mark.parametrize(
    ("name", "on_x86_64", "on_aarch64"),
    [
        ("hipMalloc3D", "a7 * a8 * a9", "gw_at(a2, 0) * gw_at(a2, 8) * gw_at(a2, 16)"),
        (
            "hipMalloc3DArray",
            "gw_array_of(a2, a7, a8, a9, 1, a3)",
            "gw_array_of(a2, gw_at(a3, 0), gw_at(a3, 8), gw_at(a3, 16), 1, a4)",
        ),
        (
            "hipMallocMipmappedArray",
            "gw_array_of(a2, a7, a8, a9, a3, a4)",
            "gw_array_of(a2, gw_at(a3, 0), gw_at(a3, 8), gw_at(a3, 16), a4, a5)",
        ),
        ("hipMemset3DAsync", "gw_stream(a2,", "gw_stream(a4,"),
        ("hipMemset3DAsync_spt", "gw_stream(a2,", "gw_stream(a4,"),
    ],
)
def test_large_structures_by_value(name: str, on_x86_64: str, on_aarch64: str) -> None:
    assert on_x86_64 in hook_of(name, "x86_64")
    assert on_aarch64 in hook_of(name, "aarch64")
