"""Phase 1: torch starts, memory comes and goes, a library multiplies matrices."""

from __future__ import annotations

import ctypes

from giveway.verify import rocm, startup
from giveway.verify.check import Check, Place
from giveway.verify.seen import Seen

_TIMES = 1000
_SMALL, _LARGE = 1 << 8, 1 << 22
"""Numbers in a tensor: 1 KB and 16 MB."""
_LEAK_BYTES = 8 << 20
"""Of the 16 GB that are allocated and freed."""
_KEPT = 64
"""Allocations that may outlive the check: what libraries keep for themselves."""
_PRODUCTS = 5


def _import(_: Place) -> object:
    import torch

    return {"sum": torch.arange(10).sum(), "autograd": torch.is_grad_enabled()}


def _to(at: Place) -> object:
    import torch

    small, large = torch.randn(_SMALL), torch.randn(_LARGE)
    copies = {"small": small.to(at.device).cpu(), "large": large.to(at.device).cpu()}
    if not (torch.equal(copies["small"], small) and torch.equal(copies["large"], large)):
        raise RuntimeError("a tensor has changed on its way to the device and back")
    before = _bytes_in_use(at)
    for _ in range(_TIMES):
        torch.empty(_SMALL, device=at.device).fill_(1)
        torch.empty(_LARGE, device=at.device).fill_(1)
    leaked = _bytes_in_use(at) - before
    if leaked > (_LEAK_BYTES if at.device.type == "cpu" else 0):
        raise RuntimeError(f"{leaked} bytes are still in use after all was freed")
    return copies


def _bytes_in_use(at: Place) -> int:
    import psutil
    import torch

    if at.device.type == "cpu":
        # What was freed and the C library has kept, several times the large tensor, is no leak.
        ctypes.CDLL(None).malloc_trim(0)
        return int(psutil.Process().memory_info().rss)
    torch.cuda.synchronize()
    return int(torch.cuda.memory_allocated())


def _allocations_were_seen(seen: Seen) -> str | None:
    if seen.allocations is not None and seen.frees is not None:
        if seen.allocations < 2 * _TIMES:
            return f"of {2 * _TIMES} allocations giveway saw {seen.allocations}"
        if seen.allocations - seen.frees > _KEPT:
            return f"of {seen.allocations} allocations only {seen.frees} were freed"
    return None


def _matmul(at: Place) -> object:
    import torch

    products = {}
    with at.device:
        for number in range(_PRODUCTS):
            size = 128 << number % 4
            left, right = torch.randn(size, size), torch.randn(size, size)
            bias = torch.randn(size)
            # The second one goes through cuBLASLt or hipBLASLt on a GPU, bias and all.
            product = torch.matmul(left, right)
            linear = torch.nn.functional.linear(left, right, bias)
            exact = left.double().cpu() @ right.double().cpu()
            error = (product.double().cpu() - exact).abs().max().item()
            if error > 1e-3:
                raise RuntimeError(f"a product of size {size} is wrong by {error:.3g}")
            products[f"{size}-{number}"] = [product, linear]
    return products


def _library_launches_were_seen(seen: Seen) -> str | None:
    if seen.launches < _PRODUCTS:
        return f"giveway saw {seen.launches} launches for {2 * _PRODUCTS} products"
    marks = ("gemm", "gemv", "cutlass", "nvjet", "cublas", "Cijk", "xmma")
    if seen.kernels and not any(mark in name for name in seen.kernels for mark in marks):
        return "giveway saw no kernel of a library of matrix products"
    return None


CHECKS = (
    Check(
        name="import",
        phase="1",
        title="import torch",
        run=_import,
        also=startup.added,
        launches=False,
        alone=True,
    ),
    Check(
        name="to",
        phase="1",
        title=f"tensor.to, {_TIMES} times memory large and small",
        run=_to,
        # Each one is then the driver's, not the cache's.
        variables={"PYTORCH_NO_CUDA_MEMORY_CACHING": "1", "PYTORCH_NO_HIP_MEMORY_CACHING": "1"},
        expect=_allocations_were_seen,
    ),
    Check(
        name="matmul",
        phase="1",
        title="torch.matmul, by the device's library",
        run=_matmul,
        expect=_library_launches_were_seen,
        also=rocm.versions,
    ),
)
