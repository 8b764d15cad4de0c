"""Engines for `serve.py`: vLLM in a process of its own, vLLM in this process, and giveway's own.

Weights are random, so nothing is downloaded. An engine is an object with a coroutine
``answer(prompt, count)`` that yields the number of new tokens whenever some have come.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import queue
import threading
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
    "attention_bias": False, "mlp_bias": False, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
    "bos_token_id": 128000, "eos_token_id": 128001, "vocab_size": 128256, "torch_dtype": "bfloat16",
    "max_position_embeddings": 8192, "num_attention_heads": 32, "num_key_value_heads": 8,
}  # fmt: skip
SHAPES = {
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "head_dim": 64,
           "tie_word_embeddings": True},
    "8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
           "head_dim": 128, "tie_word_embeddings": False},
}  # fmt: skip
OWN_SIZES = {
    "tiny": {"layers": 2, "width": 128, "vocabulary": 1000},
    "1b": {"layers": 16, "width": 2048, "vocabulary": 128256},
    "8b": {"layers": 32, "width": 4096, "vocabulary": 128256},
}
LONGEST = {"tiny": 64, "1b": 2048, "8b": 2048}
"""The most tokens of a prompt and its answer together."""
CACHE = {"1b": 1 << 30, "8b": 3 << 30}
"""The bytes of vLLM's cache: keys and values of 24,000 tokens with 8b, of 32,000 with 1b."""
MEMORY = 0.15
"""The share of the GPU's memory that has to be free when vLLM starts. Several may start at once."""


class InThread:
    """Steps an engine in a thread, while the event loop receives requests and sends answers."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._new: queue.SimpleQueue[tuple[int, list[int], int]] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Queue[int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def answer(self, prompt: list[int], count: int) -> AsyncIterator[int]:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._run, daemon=True).start()
        number = next(self._numbers)
        self._answers[number] = asyncio.Queue()
        self._new.put((number, prompt, count))
        while count > 0:
            tokens = await self._answers[number].get()
            count -= tokens
            yield tokens
        del self._answers[number]

    def _run(self) -> None:
        try:
            self._step()
        except BaseException:
            traceback.print_exc()
            os._exit(1)  # without the engine, the server would accept requests and never answer

    def _step(self) -> None:
        while True:
            while not self._engine.busy() or not self._new.empty():
                self._engine.add(*self._new.get())
            for number, tokens in self._engine.step():
                self._loop.call_soon_threadsafe(self._answers[number].put_nowait, tokens)


class Own:
    """The engine of giveway's model `llama_server`."""

    def __init__(self, model: str, device: str, slots: int) -> None:
        from giveway.models import build

        size = {**OWN_SIZES[model], "slots": slots, "length": LONGEST[model]}
        self._engine = build.engine("llama_server", size, device)
        self._waiting: list[tuple[int, int, int]] = []
        self._free = list(range(slots))
        self._running: dict[int, tuple[int, int]] = {}

    def busy(self) -> bool:
        return bool(self._waiting or self._running)

    def add(self, number: int, prompt: list[int], count: int) -> None:
        self._waiting.append((number, len(prompt), count))

    def step(self) -> list[tuple[int, int]]:
        """One prompt at most, and then a token of each slot; the requests that have new tokens."""
        found = []
        if self._waiting and self._free:
            number, length, count = self._waiting.pop(0)
            slot = self._free.pop()
            self._engine.prefill(slot, length)
            self._running[slot] = (number, count)
            found.append(self._count(slot))
        if self._running:
            self._engine.step()
            found += [self._count(slot) for slot in list(self._running)]
        return found

    def _count(self, slot: int) -> tuple[int, int]:
        number, left = self._running.pop(slot)
        if left > 1:
            self._running[slot] = (number, left - 1)
        else:
            self._free.append(slot)
        return number, 1


def _vllm_settings(model: str, slots: int) -> dict[str, Any]:
    """The arguments of an engine: random weights, no tokenizer, a cache of a fixed size."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")
    folder = Path(f"/tmp/giveway-models-{os.getuid()}", model)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"config.json.{os.getpid()}"
    temporary.write_text(json.dumps({**LLAMA, **SHAPES[model]}))
    temporary.replace(folder / "config.json")
    return {
        "model": str(folder), "tokenizer": str(folder), "skip_tokenizer_init": True,
        "load_format": "dummy", "dtype": "bfloat16", "seed": 0, "max_model_len": LONGEST[model],
        "max_num_seqs": slots, "gpu_memory_utilization": MEMORY,
        "kv_cache_memory_bytes": CACHE[model], "generation_config": "vllm",
        "enable_prefix_caching": False, "disable_log_stats": True,
        "cudagraph_capture_sizes": _captured(slots),
    }  # fmt: skip


def _captured(slots: int) -> list[int]:
    """The batch sizes with a CUDA graph: powers of two, and the largest batch.

    vLLM itself captures every multiple of eight up to twice as many. Fewer graphs start sooner. A
    batch between two sizes is padded to the larger one.
    """
    return sorted({1 << power for power in range(slots.bit_length())} | {slots})


def _sampling(count: int) -> Any:
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    return SamplingParams(
        max_tokens=count, temperature=1.0, ignore_eos=True, detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )  # fmt: skip


class VllmInProcess:
    """vLLM, stepped in this process: one process uses the GPU."""

    def __init__(self, model: str, slots: int) -> None:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine

        self._engine = LLMEngine.from_engine_args(EngineArgs(**_vllm_settings(model, slots)))

    def busy(self) -> bool:
        return bool(self._engine.has_unfinished_requests())

    def add(self, number: int, prompt: list[int], count: int) -> None:
        text = {"type": "token", "prompt_token_ids": prompt}
        self._engine.add_request(str(number), text, _sampling(count))

    def step(self) -> list[tuple[int, int]]:
        return [
            (int(output.request_id), len(output.outputs[0].token_ids))
            for output in self._engine.step()
            if output.outputs[0].token_ids
        ]


class Vllm:
    """vLLM as `vllm serve` has it: its engine is a process of its own."""

    def __init__(self, model: str, slots: int) -> None:
        self._settings = _vllm_settings(model, slots)
        self._engine: Any = None
        self._numbers = itertools.count()

    async def answer(self, prompt: list[int], count: int) -> AsyncIterator[int]:
        if self._engine is None:
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM

            self._engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**self._settings))
        text = {"type": "token", "prompt_token_ids": prompt}
        number = str(next(self._numbers))
        async for output in self._engine.generate(text, _sampling(count), number):
            if output.outputs[0].token_ids:
                yield len(output.outputs[0].token_ids)


def create(engine: str, model: str, device: str, slots: int) -> Any:
    if engine == "vllm":
        return Vllm(model, slots)
    if engine == "vllm-in-process":
        return InThread(VllmInProcess(model, slots))
    return InThread(Own(model, device, slots))
