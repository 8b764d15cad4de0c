"""Imports torchvision with a torch that its compiled operators were not built for."""

from __future__ import annotations

import importlib
from types import ModuleType

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """Imports torchvision, even if its compiled operators do not load.

    The published torchvision is compiled for the published CUDA build of torch. With a CPU build,
    torchvision silently skips its library of operators. The import then fails because
    ``torchvision::nms`` and ``torchvision::qnms`` have no schema. Only box suppression needs these
    two operators, so declaring them is enough for the classifiers.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: the import fails for another reason.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    import torch

    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            torch.library.define(f"torchvision::{operator}", _SCHEMA)
    return importlib.import_module("torchvision")
