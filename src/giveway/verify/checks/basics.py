"""Phase 1: import torch, allocate and copy memory, multiply matrices with a library."""

from __future__ import annotations

import ctypes

from giveway.verify import rocm, startup
from giveway.verify.check import Check, Place
from giveway.verify.seen import Seen

_TIMES = 1000
_SMALL, _LARGE = 1 << 8, 1 << 22
"""The number of elements in a small and a large tensor: 1 KB and 16 MB."""
_LEAK_BYTES = 8 << 20
"""The most bytes that may still be in use after 16 GB were allocated and freed."""
_KEPT = 64
"""The most allocations that may outlive the check, because libraries keep some."""
_PRODUCTS = 5


def _import(_: Place) -> object:
    import torch

    return {"sum": torch.arange(10).sum(), "autograd": torch.is_grad_enabled()}


def _to(at: Place) -> object:
    import torch

    small, large = torch.randn(_SMALL), torch.randn(_LARGE)
    copies = {"small": small.to(at.device).cpu(), "large": large.to(at.device).cpu()}
    if not (torch.equal(copies["small"], small) and torch.equal(copies["large"], large)):
        raise RuntimeError("a tensor changed on the way to the device and back")
    before = _bytes_in_use(at)
    for _ in range(_TIMES):
        torch.empty(_SMALL, device=at.device).fill_(1)
        torch.empty(_LARGE, device=at.device).fill_(1)
    leaked = _bytes_in_use(at) - before
    if leaked > (_LEAK_BYTES if at.device.type == "cpu" else 0):
        raise RuntimeError(f"{leaked} bytes are still in use after everything was freed")
    return copies


def _bytes_in_use(at: Place) -> int:
    import psutil
    import torch

    if at.device.type == "cpu":
        # Freed memory that the C library keeps, several large tensors, is no leak.
        ctypes.CDLL(None).malloc_trim(0)
        return int(psutil.Process().memory_info().rss)
    torch.cuda.synchronize()
    return int(torch.cuda.memory_allocated())


def _expect_allocations(seen: Seen) -> str | None:
    if seen.allocations is not None and seen.frees is not None:
        if seen.allocations < 2 * _TIMES:
            return f"giveway counted {seen.allocations} of {2 * _TIMES} allocations"
        if seen.allocations - seen.frees > _KEPT:
            return f"only {seen.frees} of {seen.allocations} allocations were freed"
    return None


def _matmul(at: Place) -> object:
    import torch

    products = {}
    with at.device:
        for number in range(_PRODUCTS):
            size = 128 << number % 4
            left, right = torch.randn(size, size), torch.randn(size, size)
            bias = torch.randn(size)
            # On a GPU, the second one uses cuBLASLt or hipBLASLt, bias included.
            product = torch.matmul(left, right)
            linear = torch.nn.functional.linear(left, right, bias)
            exact = left.double().cpu() @ right.double().cpu()
            error = (product.double().cpu() - exact).abs().max().item()
            if error > 1e-3:
                raise RuntimeError(f"a product of size {size} is wrong by {error:.3g}")
            products[f"{size}-{number}"] = [product, linear]
    return products


def _expect_library_launches(seen: Seen) -> str | None:
    if seen.launches < _PRODUCTS:
        return f"giveway counted {seen.launches} launches for {2 * _PRODUCTS} products"
    marks = ("gemm", "gemv", "cutlass", "nvjet", "cublas", "Cijk", "xmma")
    if seen.kernels and not any(mark in name for name in seen.kernels for mark in marks):
        return "giveway counted no kernel of a library for matrix products"
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
        # Without the cache of torch, each allocation reaches the driver.
        variables={"PYTORCH_NO_CUDA_MEMORY_CACHING": "1", "PYTORCH_NO_HIP_MEMORY_CACHING": "1"},
        expect=_expect_allocations,
    ),
    Check(
        name="matmul",
        phase="1",
        title="torch.matmul, by the device's library",
        run=_matmul,
        expect=_expect_library_launches,
        also=rocm.versions,
    ),
)
