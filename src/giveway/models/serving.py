"""An engine that serves a language model to several requests at a time (continuous batching).

A request takes a slot: the engine computes its prompt alone, and from then on one token a step,
together with all other slots. On a GPU, the step is a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch

from giveway.models import llama
from giveway.models.graphs import captured

_PADDED: Final = 64
"""A GPU computes prompts of a multiple of so many tokens: for each length, its libraries choose
kernels anew, which takes longer than the prompt."""


class Engine:
    """A model and the caches of its slots, in memory that is allocated once."""

    def __init__(self, model: llama.Llama, slots: int, length: int) -> None:
        """Args:
        length: the most tokens of a prompt and its answer together.
        """
        self.slots = slots
        self._model, self._length = model.eval(), length
        device = model.embed.weight.device
        self._text = torch.randint(model.embed.num_embeddings, (1, length), device=device)
        self._positions = torch.arange(length, device=device)
        with torch.inference_mode():
            self._caches = model.caches(slots, length)
            self._token = torch.zeros(slots, 1, dtype=torch.long, device=device)
            self._position = torch.zeros(slots, 1, dtype=torch.long, device=device)
            self._next: Callable[[], object] = self._step
            self._padded = 1
            if device.type == "cuda":
                self._next = captured(self._step)
                self._padded = _PADDED
                for tokens in range(_PADDED, length + 1, _PADDED):
                    self.prefill(0, tokens)

    @torch.inference_mode()
    def prefill(self, slot: int, tokens: int) -> int:
        """Computes a prompt of so many tokens in a slot; returns the first token of the answer."""
        padded = min(-(-tokens // self._padded) * self._padded, self._length)
        text, positions = self._text[:, :padded], self._positions[:padded]
        caches = self._caches[:, :, slot : slot + 1]
        # What stands in the cache behind the prompt is replaced before a token attends to it.
        states = self._model.states(text, positions, caches)[:, tokens - 1 : tokens]
        self._token[slot] = self._model.head(states).argmax(-1)[0]
        self._position[slot] = tokens
        # Copying a token to the host waits for a device that works asynchronously.
        return int(self._token[slot, 0])

    @torch.inference_mode()
    def step(self) -> list[int]:
        """Computes one token more in each slot; returns them. Those of free slots mean nothing."""
        self._next()
        found: list[int] = self._token[:, 0].tolist()
        return found

    def _step(self) -> None:
        logits = self._model.logits(self._token, self._position, self._caches)
        self._token.copy_(logits.argmax(-1))
        # A free slot stays within the cache.
        self._position.add_(1).clamp_(max=self._length - 1)


def build(size: Mapping[str, int], device: str) -> Engine:
    """Builds the engine of a size, whose ``length`` is that of the longest request."""
    with llama.placed(device):
        model = llama.Llama(size["vocabulary"], size["layers"], size["width"], 1)
    return Engine(model, size["slots"], size["length"])
