"""The models that a scenario can name, without importing the code that builds them."""

from __future__ import annotations

from typing import Final

_IMAGES: Final = {"batch": 1, "image": 224}
_GPT2: Final = {"batch": 1, "prompt": 32, "tokens": 16, "layers": 12, "width": 768}
_BERT: Final = {"batch": 8, "sequence": 128, "layers": 12, "width": 768}
_WHISPER: Final = {"batch": 1, "frames": 3000, "tokens": 64, "layers": 6, "width": 512}
_LLAMA: Final = {
    "batch": 1, "prompt": 128, "tokens": 32, "layers": 16, "width": 2048, "vocabulary": 128256,
}  # fmt: skip

_SERVER: Final = {"slots": 16, "layers": 16, "width": 2048, "vocabulary": 128256}
_LORA: Final = {
    "batch": 1, "prompt": 1024, "layers": 32, "width": 4096, "vocabulary": 128256, "rank": 16,
}  # fmt: skip

_PHASES: Final = {
    "image": 224, "light_batch": 8, "light_count": 40, "heavy_batch": 128, "heavy_count": 8,
}  # fmt: skip

CLASSIFIERS: Final = (
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "efficientnet_b0",
    "vit_b_16",
    "densenet121",
    "vgg16",
    "squeezenet1_1",
    "alexnet",
    "googlenet",
    "resnet152",
    "densenet201",
    "vgg19",
)
"""Names of torchvision models."""

SEGMENTERS: Final = ("deeplabv3_mobilenet_v3_large",)

SIZES: Final[dict[str, dict[str, int]]] = dict.fromkeys((*CLASSIFIERS, *SEGMENTERS), _IMAGES) | {
    "gpt2": _GPT2,
    "bert": _BERT,
    "whisper": _WHISPER,
    "llama": _LLAMA,
    "llama_eager": _LLAMA,
    "llama_server": _SERVER,
    "llama_lora": _LORA,
    "matmul": {"side": 16384, "count": 4},
    "copy": {"megabytes": 1024, "count": 8},
    "resnet50_phases": _PHASES,
}
"""The size parameters of each model, with the values of the published model."""

SERVING: Final = ("llama_server",)
"""Models that answer requests token by token, several at a time."""

BULK: Final = ("matmul", "copy")
"""Work that is no model, and is only batched."""

PHASED: Final = {"resnet50_phases": "resnet50"}
"""Models whose requests have two phases, with the torchvision model that both run."""
