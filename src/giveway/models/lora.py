"""Low-rank adaptation (LoRA): a frozen language model, and small matrices that are trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from giveway.models import llama


class Adapted(nn.Module):
    """A frozen linear layer, to whose output a product of two narrow matrices is added."""

    def __init__(self, frozen: nn.Linear, rank: int) -> None:
        super().__init__()
        self.frozen = frozen
        self.down = nn.Linear(frozen.in_features, rank, bias=False)
        self.up = nn.Linear(rank, frozen.out_features, bias=False)
        nn.init.zeros_(self.up.weight)  # at first the model computes what it did before

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.frozen(x) + self.up(self.down(x))
        return answer


def adapt(model: llama.Llama, rank: int) -> None:
    """Freezes a model, and adapts the projections of its attention."""
    model.requires_grad_(False)
    for block in model.blocks:
        attention = block.attention
        assert isinstance(attention, nn.Module)
        for name in ("query", "keys_values", "out"):
            frozen = getattr(attention, name)
            setattr(attention, name, Adapted(frozen, rank))


def build(size: Mapping[str, int]) -> tuple[nn.Module, dict[str, Tensor]]:
    """Builds the model of a size; returns it and its inputs by argument name."""
    model = llama.Llama(size["vocabulary"], size["layers"], size["width"], 1)
    adapt(model, size["rank"])
    return model, {"prompt": torch.randint(size["vocabulary"], (size["batch"], size["prompt"]))}
