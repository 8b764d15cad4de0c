"""Requests with two phases: one that leaves a GPU mostly idle, then one that saturates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn


def work(model: nn.Module, size: Mapping[str, int], device: str) -> Callable[[], object]:
    """The work of one request: ``light_count`` small batches, then ``heavy_count`` large ones.

    A small batch takes as long as the host needs to launch its kernels. After each batch the
    request waits for the answer.
    """
    model = model.to(device).eval()
    image = size["image"]
    light, heavy = (
        torch.randn(size[f"{phase}_batch"], 3, image, image, device=device)
        for phase in ("light", "heavy")
    )

    def run() -> object:
        with torch.inference_mode():
            for inputs, phase in ((light, "light"), (heavy, "heavy")):
                for _ in range(size[f"{phase}_count"]):
                    answer = model(inputs).cpu()
        return answer

    return run
