"""Work that fills a device without being a model: large matrix products, and memory copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch


def work(name: str, size: Mapping[str, int], device: str) -> Callable[[], object]:
    """The work of one batch: ``count`` products or copies, which the program submits at once."""
    once = _product(size["side"], device) if name == "matmul" else _copy(size["megabytes"], device)

    def run() -> object:
        for _ in range(size["count"]):
            result = once()
        return result.reshape(-1)[0].item()  # waits for a device that works asynchronously

    return run


def _product(side: int, device: str) -> Callable[[], torch.Tensor]:
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    into = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=into)


def _copy(megabytes: int, device: str) -> Callable[[], torch.Tensor]:
    source = torch.ones(megabytes * 1_000_000, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)
