"""torchvision beside a torch that its compiled operators were not built for."""

from __future__ import annotations

import importlib
from types import ModuleType

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """Imports torchvision, also where its compiled operators do not load.

    The torchvision of PyPI is compiled for the torch of PyPI. Beside a CPU build of torch its
    library of operators is skipped without a word, and the import then fails because
    ``torchvision::nms`` and ``torchvision::qnms`` have no schema. Nothing but box
    suppression needs the two, so declaring them is enough for the classifiers.

    Raises ImportError where there is no torchvision, RuntimeError where the import fails for any
    other reason.
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
