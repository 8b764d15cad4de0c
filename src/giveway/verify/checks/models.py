"""Phase 3: torchvision's classifiers with random weights. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from giveway.models.torchvision_fix import import_torchvision
from giveway.verify.check import Check, Place

if TYPE_CHECKING:
    import torch

_IMAGE = 224
_STEPS, _TRAINING_BATCH = 3, 4
_AUXILIARY = 0.3
"""The weight of GoogLeNet's auxiliary losses in the original paper."""


def _build(name: str, **options: Any) -> torch.nn.Module:
    """A model on the device of the surrounding ``with``."""
    torchvision = import_torchvision()
    model: torch.nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return model


def _inference(name: str, batch: int = 1) -> Callable[[Place], object]:
    def run(at: Place) -> object:
        import torch

        with at.device, torch.inference_mode():
            return _build(name).eval()(torch.randn(batch, 3, _IMAGE, _IMAGE))

    return run


def _googlenet(at: Place) -> object:
    """GoogLeNet: in training mode, returns the output and the outputs of two auxiliary heads."""
    import torch
    from torch.nn import functional

    with at.device:
        model = _build("googlenet", aux_logits=True, init_weights=True)
        picture = torch.randn(1, 3, _IMAGE, _IMAGE)
        with torch.inference_mode():
            output = model.eval()(picture)
        trained = model.train()(picture)
        answer = torch.zeros(1, dtype=torch.long)
        losses = [functional.cross_entropy(each, answer) for each in trained]
        loss = losses[0] + _AUXILIARY * (losses[1] + losses[2])
        loss.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    return {"eval": output, "train": trained, "loss": loss, "gradients": gradients}


def _training(name: str, optimizer: str, rate: float) -> Callable[[Place], object]:
    def run(at: Place) -> object:
        import torch

        with at.device:
            model = _build(name).train()
            steps = getattr(torch.optim, optimizer)(model.parameters(), lr=rate)
            losses = []
            for _ in range(_STEPS):
                pictures = torch.randn(_TRAINING_BATCH, 3, _IMAGE, _IMAGE)
                answers = torch.randint(1000, (_TRAINING_BATCH,))
                steps.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(pictures), answers)
                loss.backward()
                steps.step()
                losses.append(loss.detach())
        gradients = {name: weight.grad for name, weight in model.named_parameters()}
        return {"losses": losses, "gradients": gradients}

    return run


def _check(name: str, title: str, run: Callable[[Place], object]) -> Check:
    return Check(name=name, phase="3", title=title, run=run, modules=("torchvision",))


_CLASSIFIERS = {
    "resnet50": "ResNet-50",
    "resnet18": "ResNet-18",
    "mobilenet_v2": "MobileNetV2",
    "efficientnet_b0": "EfficientNet-B0",
    "vit_b_16": "ViT-B/16",
    "densenet121": "DenseNet-121",
    "vgg16": "VGG-16",
    "squeezenet1_0": "SqueezeNet",
    "alexnet": "AlexNet",
}

CHECKS = (
    *(_check(name, title, _inference(name)) for name, title in _CLASSIFIERS.items()),
    _check("googlenet", "GoogLeNet, eval and train", _googlenet),
    _check("resnet18-sgd", "ResNet-18, 3 steps of SGD", _training("resnet18", "SGD", 0.01)),
    _check(
        "mobilenet_v2-adam",
        "MobileNetV2, 3 steps of Adam",
        _training("mobilenet_v2", "Adam", 0.001),
    ),
    _check("resnet50-b32", "ResNet-50, batch of 32", _inference("resnet50", 32)),
    _check(
        "efficientnet_b0-b16", "EfficientNet-B0, batch of 16", _inference("efficientnet_b0", 16)
    ),
)
