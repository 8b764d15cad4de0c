"""Builds models by name with seeded random weights; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from giveway.models.torchvision_fix import import_torchvision
from giveway.scenarios.catalog import BULK, CLASSIFIERS, PHASED, SEGMENTERS, SERVING, SIZES

if TYPE_CHECKING:
    import torch

    from giveway.models.serving import Engine

_SEED = 20


def work(name: str, task: str, size: Mapping[str, int], device: str) -> Callable[[], object]:
    """Builds the work of one request or batch, which returns when the answer is on the host.

    Args:
        name: a model of the catalog.
        task: ``infer``, or ``train`` for one step of SGD with momentum on random targets.
        size: a value for each key that ``catalog.SIZES`` lists for the model.
        device: the name of the device in torch.

    Raises:
        ValueError: no such model.
    """
    if name not in SIZES:
        raise ValueError(f"no model {name!r}; choose from {', '.join(SIZES)}")
    import torch

    torch.manual_seed(_SEED)
    if name in BULK:
        from giveway.models import bulk

        return bulk.work(name, size, device)
    if name in PHASED:
        from giveway.models import phases

        return phases.work(_vision(PHASED[name], size["image"]), size, device)
    model, inputs = _build(name, size, device)
    if device != "cpu" and (dtype := getattr(model, "gpu_dtype", None)) is not None:
        model = model.to(dtype)
    model = model.to(device)
    inputs = {key: value.to(device) for key, value in inputs.items()}
    return _training(model, inputs) if task == "train" else _inference(model, inputs)


def engine(name: str, size: Mapping[str, int], device: str) -> Engine:
    """Builds the engine of a model in ``catalog.SERVING``.

    Args:
        size: a value for each key that ``catalog.SIZES`` lists for the model, and ``length``, that
            of the longest request.
    """
    assert name in SERVING
    import torch

    from giveway.models import serving

    torch.manual_seed(_SEED)
    return serving.build(size, device)


def _build(
    name: str, size: Mapping[str, int], device: str
) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    import torch

    if name in CLASSIFIERS or name in SEGMENTERS:
        inputs = {"x": torch.randn(size["batch"], 3, size["image"], size["image"])}
        return _vision(name, size["image"]), inputs
    from giveway.models import llama, lora, transformers

    if name == "llama_lora":
        with llama.placed(device):
            return lora.build(size)
    if name in ("llama", "llama_eager"):
        return llama.build(size, graphs=name == "llama")
    return transformers.build(name, size)


def _vision(name: str, image: int) -> torch.nn.Module:
    options: dict[str, Any] = {}
    if name == "vit_b_16":
        options["image_size"] = image
    if name == "googlenet":
        options |= {"aux_logits": False, "init_weights": False}
    if name in SEGMENTERS:
        options["weights_backbone"] = None
    torchvision = import_torchvision()
    model: torch.nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return model


def _answer(output: Any) -> torch.Tensor:
    """The answer tensor in the output of a model."""
    tensor: torch.Tensor = output["out"] if isinstance(output, dict) else output
    return tensor


def _inference(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> Callable[[], object]:
    import torch

    model.eval()

    def run() -> object:
        with torch.inference_mode():
            # Copying the answer to the host waits for a device that works asynchronously.
            return _answer(model(**inputs)).cpu()

    return run


def _training(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> Callable[[], object]:
    import torch

    model.train()
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9)
    with torch.no_grad():
        output = _answer(model(**inputs))
    targets = torch.randint(output.shape[1], (output.shape[0], *output.shape[2:]))
    targets = targets.to(output.device)

    def step() -> object:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(_answer(model(**inputs)), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
