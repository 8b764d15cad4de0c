"""Every model of the catalog runs at a small size, with the same weights each time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from giveway.scenarios.catalog import CLASSIFIERS, SEGMENTERS, SIZES

SMALL = {
    "gpt2": {"batch": 2, "prompt": 5, "tokens": 3, "layers": 2, "width": 128},
    "bert": {"batch": 2, "sequence": 6, "layers": 1, "width": 64},
    "whisper": {"batch": 1, "frames": 20, "tokens": 4, "layers": 1, "width": 64},
}
RUN = """
import sys, torch
from giveway.models import build as models
torch.set_num_threads(1)
for task, name, size in {cases!r}:
    work = models.work(name, task, size, "cpu")
    first = work()
    value = first if task == "train" else tuple(first.shape)
    again = models.work(name, task, size, "cpu")()
    same = first == again if task == "train" else bool((first == again).all())
    print(name, value if task == "infer" else value > 0, same)
"""


def run(*cases: tuple[str, str, dict[str, int]]) -> list[str]:
    """In a process of its own: torch is not for this one."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(cases=cases)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


VISION = ("resnet18", "vit_b_16", "googlenet", *SEGMENTERS)


@pytest.fixture(scope="module")
def vision() -> list[str]:
    return run(*(("infer", name, {"batch": 1, "image": 64}) for name in VISION))


@pytest.mark.parametrize("name", VISION)
def test_vision(name: str, vision: list[str]) -> None:
    shape = "(1, 1000)" if name in CLASSIFIERS else "(1, 21, 64, 64)"
    assert vision[VISION.index(name)] == f"{name} {shape} True"


def test_transformers_decode_and_train() -> None:
    assert run(
        ("infer", "gpt2", SMALL["gpt2"]),
        ("infer", "whisper", SMALL["whisper"]),
        ("infer", "bert", SMALL["bert"]),
        ("train", "bert", SMALL["bert"]),
        ("train", "resnet18", {"batch": 2, "image": 32}),
    ) == [
        "gpt2 (2, 3) True",
        "whisper (1, 4) True",
        "bert (12, 30522) True",
        "bert True True",
        "resnet18 True True",
    ]


CACHE = """
import torch
from giveway.models.transformers import Decoder
torch.manual_seed(1)
decoder = Decoder(50, 2, 128).eval()
tokens = torch.randint(50, (1, 4))
with torch.inference_mode():
    said = decoder.decode(tokens, 5)
    for at in range(5):
        once = decoder.decode(torch.cat([tokens, said[:, :at]], 1), 1)
        assert once[0, 0] == said[0, at], at
print("same")
"""


def test_decoding_with_the_cache_is_decoding_without() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CACHE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "same\n", done.stderr


def test_the_published_shapes() -> None:
    assert (SIZES["gpt2"]["layers"], SIZES["gpt2"]["width"]) == (12, 768)
    assert (SIZES["bert"]["layers"], SIZES["bert"]["width"]) == (12, 768)
    assert (SIZES["whisper"]["layers"], SIZES["whisper"]["width"]) == (6, 512)
