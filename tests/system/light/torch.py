"""Stands in for torch where torch is not the subject: it starts in a quarter of a second.

This is as much of torch as giveway's own programs and the tests' checks call. A tensor is a NumPy
array, and each operation is one launch: an OpenMP region that sleeps for a millisecond.

A model can stall: ``LIGHT_STALL="CALL SECONDS"`` makes that call of it, counted from 1, so much
longer.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

__version__ = "light"

launch = ctypes.CDLL(str(Path(__file__).with_name("region.so"))).region
_random = np.random.default_rng(0)


class OutOfMemoryError(RuntimeError):
    pass


class Tensor(np.ndarray):
    def __matmul__(self, other: Any) -> Any:
        launch()
        return super().__matmul__(other)

    def fill_(self, value: float) -> Tensor:
        launch()
        self.fill(value)
        return self

    def to(self, _: object) -> Tensor:
        return self.copy()

    def cpu(self) -> Tensor:
        return self

    def backward(self) -> None:
        launch()

    @property
    def device(self) -> SimpleNamespace:
        return device("cpu")


def device(name: str) -> SimpleNamespace:
    return SimpleNamespace(type=name)


def manual_seed(seed: int) -> None:
    global _random
    _random = np.random.default_rng(seed)


def randn(*sizes: int, **_: object) -> Tensor:
    return _random.standard_normal(sizes, np.float32).view(Tensor)


def randint(high: int, size: tuple[int, ...]) -> Tensor:
    return _random.integers(high, size=size).view(Tensor)


def ones(*sizes: int) -> Tensor:
    return np.ones(sizes, np.float32).view(Tensor)


def empty(*sizes: int, **_: object) -> Tensor:
    return np.empty(sizes, np.float32).view(Tensor)


def arange(end: int) -> Tensor:
    return np.arange(end).view(Tensor)


def mm(left: Tensor, right: Tensor) -> Tensor:
    return left @ right


def equal(left: Tensor, right: Tensor) -> bool:
    return bool((left == right).all())


def is_grad_enabled() -> bool:
    return True


def get_num_threads() -> int:
    return 1


def set_deterministic_debug_mode(_: str) -> None:
    pass


no_grad = inference_mode = contextlib.nullcontext


class Model:
    """An image classifier whose every run is a launch."""

    def __init__(self) -> None:
        self._calls = 0
        call, seconds = os.environ.get("LIGHT_STALL", "0 0").split()
        self._stall = (int(call), float(seconds))

    def __call__(self, x: Tensor) -> Tensor:
        launch()
        self._calls += 1
        if self._calls == self._stall[0]:
            time.sleep(self._stall[1])
        return ones(len(x), 10)

    def to(self, _: object) -> Model:
        return self

    def eval(self) -> Model:
        return self

    def train(self) -> Model:
        return self

    def parameters(self) -> list[Tensor]:
        return []


def _optimizer(*_: object, **__: object) -> SimpleNamespace:
    return SimpleNamespace(zero_grad=lambda **_: None, step=lambda: None)


optim = SimpleNamespace(SGD=_optimizer)
nn = SimpleNamespace(functional=SimpleNamespace(cross_entropy=lambda output, _: output.sum()))
backends = SimpleNamespace(cudnn=SimpleNamespace())
cuda = SimpleNamespace(is_available=lambda: False)
