"""Models by name, with seeded random weights: nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giveway.bench.torchvision_fix import import_torchvision

if TYPE_CHECKING:
    import torch

CLASSIFIERS = ("resnet18", "resnet50")
"""Names as torchvision has them; each maps (batch, 3, image, image) to (batch, 1000)."""

_SEED = 20


def build(name: str) -> torch.nn.Module:
    """The model ``name`` in evaluation mode; the same weights every time.

    Raises ValueError for a name that is not in ``CLASSIFIERS``.
    """
    if name not in CLASSIFIERS:
        raise ValueError(f"no model {name!r}; there are {', '.join(CLASSIFIERS)}")
    import torch

    torchvision = import_torchvision()
    torch.manual_seed(_SEED)
    model: torch.nn.Module = torchvision.models.get_model(name, weights=None)
    return model.eval()


def images(batch: int, image: int) -> torch.Tensor:
    """A batch of random square pictures, ``image`` pixels a side; the same every time."""
    import torch

    generator = torch.Generator().manual_seed(_SEED)
    return torch.randn(batch, 3, image, image, generator=generator)
