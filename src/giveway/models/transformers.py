"""Transformers with the shapes of GPT-2, BERT and Whisper, and with random weights.

The bench measures only their run time. So they have the layers, the widths and the decoding of the
published models (key and value caches, one token at a time), but no tokenizers or trained weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

_HEAD = 64
_TEXT_TOKENS = 50257
_BERT_TOKENS = 30522
_SPEECH_TOKENS = 51865
_MEL = 80


def build(name: str, size: Mapping[str, int]) -> tuple[nn.Module, dict[str, Tensor]]:
    """Builds a model that torchvision lacks; returns the model and its inputs by argument name."""
    batch, layers, width = size["batch"], size["layers"], size["width"]
    if name == "gpt2":
        prompt = torch.randint(_TEXT_TOKENS, (batch, size["prompt"]))
        return Generator(_TEXT_TOKENS, layers, width, size["tokens"]), {"prompt": prompt}
    if name == "bert":
        words = torch.randint(_BERT_TOKENS, (batch, size["sequence"]))
        return Classifier(_BERT_TOKENS, layers, width), {"words": words}
    return Transcriber(layers, width, size["tokens"]), {
        "sound": torch.randn(batch, _MEL, size["frames"])
    }


class Attention(nn.Module):
    """Multi-head attention over keys and values that the caller projects and caches."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // _HEAD)
        self.query = nn.Linear(width, width)
        self.keys_values = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def project(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Projects (batch, length, width) to keys and values, each (batch, heads, length, head)."""
        keys, values = self.keys_values(source).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, causal: bool = False) -> Tensor:
        query = self._split(self.query(x))
        mixed = functional.scaled_dot_product_attention(query, keys, values, is_causal=causal)
        answer: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return answer

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """A pre-norm block: self-attention, optional cross-attention to a memory, and an MLP."""

    def __init__(self, width: int, crossed: bool = False) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), Attention(width)
        self.cross_norm = nn.LayerNorm(width) if crossed else None
        self.cross = Attention(width) if crossed else None
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self,
        x: Tensor,
        causal: bool = False,
        past: tuple[Tensor, Tensor] | None = None,
        memory: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        normed = self.norm(x)
        keys, values = self.attention.project(normed)
        if past is not None:
            keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
        x = x + self.attention(normed, keys, values, causal and past is None)
        if self.cross is not None and self.cross_norm is not None and memory is not None:
            x = x + self.cross(self.cross_norm(x), *memory)
        return x + self.mlp(x), (keys, values)


class Decoder(nn.Module):
    """Greedy decoding, one token at a time, with caches of keys and values."""

    def __init__(self, vocabulary: int, layers: int, width: int, crossed: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, crossed) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def decode(self, tokens: Tensor, count: int, memory: Tensor | None = None) -> Tensor:
        """Decodes ``count`` tokens after ``tokens`` of (batch, length); returns (batch, count)."""
        past: list[tuple[Tensor, Tensor] | None] = [None] * len(self.blocks)
        memories = [None if memory is None else each.cross.project(memory) for each in self.blocks]
        decoded = []
        for _ in range(count):
            x = self.embed(tokens)
            for at, block in enumerate(self.blocks):
                x, past[at] = block(x, causal=True, past=past[at], memory=memories[at])
            logits = functional.linear(self.norm(x[:, -1]), self.embed.weight)
            tokens = logits.argmax(-1, keepdim=True)
            decoded.append(tokens)
        return torch.cat(decoded, 1)

    def guess(self, tokens: Tensor, memory: Tensor | None = None) -> Tensor:
        """The logits of the token after each token, (batch · length, vocabulary), for training."""
        x = self.embed(tokens)
        for block in self.blocks:
            known = None if memory is None else block.cross.project(memory)
            x, _ = block(x, causal=True, memory=known)
        return functional.linear(self.norm(x), self.embed.weight).flatten(0, 1)


class Generator(nn.Module):
    """GPT-2: takes a prompt (batch, length) and returns tokens (batch, count); in training, the
    logits of each token of the prompt, (batch · length, vocabulary)."""

    def __init__(self, vocabulary: int, layers: int, width: int, count: int) -> None:
        super().__init__()
        self.decoder, self.count = Decoder(vocabulary, layers, width), count

    def forward(self, prompt: Tensor) -> Tensor:
        if self.training:
            return self.decoder.guess(prompt)
        return self.decoder.decode(prompt, self.count)


class Classifier(nn.Module):
    """BERT: an encoder that returns logits for every word, (batch · length, vocabulary)."""

    def __init__(self, vocabulary: int, layers: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.guess = nn.Linear(width, vocabulary)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embed(words)
        for block in self.blocks:
            x, _ = block(x)
        # Rows, as in real programs: a loss over columns would be a kernel of 20 ms on a GPU.
        guesses: Tensor = self.guess(x).flatten(0, 1)
        return guesses


class Transcriber(nn.Module):
    """Whisper: convolutions and an encoder over (batch, 80, frames), then a decoder.

    Returns tokens (batch, count); in training, the logits of ``count`` tokens of each text,
    (batch · count, vocabulary).
    """

    def __init__(self, layers: int, width: int, count: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(_MEL, width, 3, padding=1)
        self.second = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.decoder, self.count = Decoder(_SPEECH_TOKENS, layers, width, crossed=True), count

    def forward(self, sound: Tensor) -> Tensor:
        x = functional.gelu(self.second(functional.gelu(self.first(sound)))).transpose(1, 2)
        for block in self.blocks:
            x, _ = block(x)
        if self.training:
            heard = torch.zeros(x.shape[0], self.count, dtype=torch.long, device=x.device)
            return self.decoder.guess(heard, x)
        start = torch.zeros(x.shape[0], 1, dtype=torch.long, device=x.device)
        return self.decoder.decode(start, self.count, x)
