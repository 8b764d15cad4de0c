"""A language model of Llama's shape with random weights: rotary positions, grouped queries.

The model decodes as servers do: the prompt in one pass, then one token at a time, with caches of a
fixed size. On a GPU, the step for one token is a CUDA graph, unless the model is eager.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from giveway.models.graphs import captured

_HEAD = 64
_QUERIES_PER_KEY = 4
_THETA = 500_000.0


class Attention(nn.Module):
    """Causal attention in which several queries share a key and a value."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // _HEAD)
        self.groups = max(1, self.heads // _QUERIES_PER_KEY)
        self.query = nn.Linear(width, self.heads * _HEAD, bias=False)
        self.keys_values = nn.Linear(width, 2 * self.groups * _HEAD, bias=False)
        self.out = nn.Linear(self.heads * _HEAD, width, bias=False)

    def forward(self, x: Tensor, positions: Tensor, cache: Tensor | None) -> Tensor:
        """Attends to all earlier positions.

        Args:
            x: (batch, length, width).
            positions: (batch or 1, length), of each token in its text.
            cache: keys and values of all positions, (2, batch, groups, most, head), to which those
                of ``x`` are added; None: ``x`` is a whole text.
        """
        query = _rotate(_split(self.query(x), self.heads), positions)
        keys, values = self.keys_values(x).chunk(2, dim=-1)
        keys = _rotate(_split(keys, self.groups), positions)
        values = _split(values, self.groups)
        mask = None
        if cache is not None:
            at = positions[:, None, :, None].expand_as(keys)
            keys = cache[0].scatter_(2, at, keys)
            values = cache[1].scatter_(2, at, values)
            every = torch.arange(keys.shape[2], device=x.device)
            mask = every <= positions[:, None, :, None]
        mixed = functional.scaled_dot_product_attention(
            query, keys, values, attn_mask=mask, is_causal=mask is None, enable_gqa=True
        )
        answer: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return answer


def _split(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(2, (heads, _HEAD)).transpose(1, 2)


def _rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Rotates the halves of each head by the position (rotary embedding)."""
    steps = torch.arange(0, _HEAD, 2, device=x.device) / _HEAD
    angles = positions[:, None, :, None] * _THETA**-steps
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class Block(nn.Module):
    """Attention and a gated MLP, each after a norm and beside its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.RMSNorm(width), Attention(width)
        self.mlp_norm = nn.RMSNorm(width)
        self.gate, self.up = (nn.Linear(width, 4 * width, bias=False) for _ in range(2))
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, positions: Tensor, cache: Tensor | None) -> Tensor:
        x = x + self.attention(self.norm(x), positions, cache)
        normed = self.mlp_norm(x)
        gated: Tensor = self.down(functional.silu(self.gate(normed)) * self.up(normed))
        return x + gated


class Llama(nn.Module):
    """Takes a prompt (batch, length). Returns ``count`` tokens (batch, count); in training, the
    logits of each token of the prompt, (batch · length, vocabulary)."""

    gpu_dtype = torch.bfloat16

    def __init__(
        self, vocabulary: int, layers: int, width: int, count: int, graphs: bool = True
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        # With torch's own deviation of 1, each token would be followed by itself.
        nn.init.normal_(self.embed.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.norm = nn.RMSNorm(width)
        self.count, self._graphs = count, graphs
        self._decoding: Decoding | None = None

    def forward(self, prompt: Tensor) -> Tensor:
        if self.training:
            every = torch.arange(prompt.shape[1], device=prompt.device)
            return self.logits(prompt, every, None).flatten(0, 1)
        if self._decoding is None:
            batch, length = prompt.shape
            self._decoding = Decoding(self, batch, length, self.count, self._graphs)
        return self._decoding.decode(prompt)

    def logits(self, tokens: Tensor, positions: Tensor, caches: Tensor | None) -> Tensor:
        """The logits (batch, length, vocabulary) of the token after each token.

        Args:
            tokens: (batch, length).
            positions: (length), or (batch, length) where the texts differ.
            caches: of each layer; None: ``tokens`` are whole texts.
        """
        return self.head(self.states(tokens, positions, caches))

    def states(self, tokens: Tensor, positions: Tensor, caches: Tensor | None) -> Tensor:
        """The states (batch, length, width) from which the logits follow."""
        positions = positions if positions.dim() == 2 else positions[None]
        x = self.embed(tokens)
        for number, block in enumerate(self.blocks):
            x = block(x, positions, None if caches is None else caches[number])
        return x

    def head(self, states: Tensor) -> Tensor:
        return functional.linear(self.norm(states), self.embed.weight)

    def caches(self, batch: int, length: int) -> Tensor:
        """Memory for the keys and values of texts: (layers, 2, batch, groups, length, head)."""
        attention = self.blocks[0].attention
        assert isinstance(attention, Attention)
        shape = (len(self.blocks), 2, batch, attention.groups, length, _HEAD)
        return self.embed.weight.new_zeros(shape)


class Decoding:
    """Greedy decoding in memory that is allocated once, as a CUDA graph needs it."""

    def __init__(self, model: Llama, batch: int, length: int, count: int, graphs: bool) -> None:
        self._model, self._length, self._count = model, length, count
        weight = model.embed.weight
        self._caches = model.caches(batch, length + count)
        self._prompt_positions = torch.arange(length, device=weight.device)
        self._token = torch.zeros(batch, 1, dtype=torch.long, device=weight.device)
        self._position = torch.full((1,), length, device=weight.device)
        self._decoded = torch.zeros(batch, count, dtype=torch.long, device=weight.device)
        self._next: Callable[[], object] = self._step
        if graphs and weight.device.type == "cuda":
            self._next = captured(self._step)

    def decode(self, prompt: Tensor) -> Tensor:
        logits = self._model.logits(prompt, self._prompt_positions, self._caches)
        self._token.copy_(logits[:, -1:].argmax(-1))
        self._position.fill_(self._length)
        self._decoded[:, :1] = self._token
        for _ in range(self._count - 1):
            self._next()
        return self._decoded.clone()

    def _step(self) -> None:
        """Decodes one token, and leaves everything as the next step needs it."""
        logits = self._model.logits(self._token, self._position, self._caches)
        self._token.copy_(logits.argmax(-1))
        self._position.add_(1)
        self._decoded.index_copy_(1, self._position - self._length, self._token)


@contextmanager
def placed(device: str) -> Iterator[None]:
    """Creates models on a device, in the type that they have there: the weights of a large model
    would take minutes on the host, and twice its memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if device == "cpu" else Llama.gpu_dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def build(size: Mapping[str, int], graphs: bool = True) -> tuple[nn.Module, dict[str, Tensor]]:
    """Builds the model of a size; returns it and its inputs by argument name.

    Args:
        graphs: whether decoding on a GPU uses CUDA graphs; without them the host launches each
            kernel of each token.
    """
    prompt = torch.randint(size["vocabulary"], (size["batch"], size["prompt"]))
    shape = (size["vocabulary"], size["layers"], size["width"], size["tokens"])
    return Llama(*shape, graphs), {"prompt": prompt}
