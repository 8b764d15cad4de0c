"""A Triton kernel, in a separate file because Triton reads the source and the globals."""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

BLOCK = 1024


@triton.jit
def axpy(factor, x, y, result, length, block: tl.constexpr):  # type: ignore[no-untyped-def]
    """result = factor · x + y"""
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < length
    value = factor * tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside)
    tl.store(result + at, value, mask=inside)


def run(factor: float, x: Any, y: Any, result: Any) -> None:
    """Launches `axpy` on tensors of one shape."""
    blocks = triton.cdiv(x.numel(), BLOCK)
    axpy[(blocks,)](factor, x, y, result, x.numel(), block=BLOCK)
