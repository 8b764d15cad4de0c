"""Phase 2: the building blocks of models."""

from __future__ import annotations

from giveway.verify.check import Check, Place


def _mlp(at: Place) -> object:
    import torch
    from torch import nn

    with at.device:
        model = nn.Sequential(nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 256), nn.GELU())
        return model(torch.randn(64, 512))


def _cnn(at: Place) -> object:
    import torch
    from torch import nn

    with at.device:
        model = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        )
        pictures = torch.randn(8, 3, 64, 64)
        return {"train": model(pictures), "eval": model.eval()(pictures)}


def _transformer(at: Place) -> object:
    import torch
    from torch import nn

    with at.device:
        layer = nn.TransformerEncoderLayer(256, nhead=8, dim_feedforward=512, batch_first=True)
        model = nn.TransformerEncoder(layer, num_layers=3)
        words = torch.randn(4, 64, 256)
        train = model(words)
        with torch.inference_mode():
            return {"train": train, "eval": model.eval()(words)}


def _attention(at: Place) -> object:
    import torch
    from torch import nn

    with at.device:
        model = nn.MultiheadAttention(256, num_heads=8, batch_first=True)
        words = torch.randn(4, 64, 256)
        output, weights = model(words, words, words)
        fused = nn.functional.scaled_dot_product_attention(
            *(torch.randn(4, 8, 64, 32) for _ in range(3)), is_causal=True
        )
        return {"output": output, "weights": weights, "fused": fused}


def _batched(at: Place) -> object:
    import torch

    with at.device:
        left, right = torch.randn(32, 64, 128), torch.randn(32, 128, 96)
        return {
            "bmm": torch.bmm(left, right),
            "baddbmm": torch.baddbmm(torch.randn(32, 64, 96), left, right),
            "einsum": torch.einsum("bij,bjk->bik", left, right),
        }


def _backward(at: Place) -> object:
    import torch
    from torch import nn

    with at.device:
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 30 * 30, 10)
        )
        pictures = torch.randn(8, 3, 32, 32, requires_grad=True)
        loss = nn.functional.cross_entropy(model(pictures), torch.randint(10, (8,)))
        loss.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    return {"loss": loss, "pictures": pictures.grad, "gradients": gradients}


def _mixed(at: Place) -> object:
    import torch
    from torch import nn

    kind = at.device.type
    dtype = torch.bfloat16 if kind == "cpu" else torch.float16
    with at.device:
        model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 10))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler(kind, enabled=kind != "cpu")
        words, answers = torch.randn(32, 256), torch.randint(10, (32,))
        losses, output = [], None
        for _ in range(3):
            optimizer.zero_grad()
            with torch.autocast(kind, dtype=dtype):
                output = model(words)
                loss = nn.functional.cross_entropy(output, answers)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.detach())
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    return {"output": output, "losses": losses, "gradients": gradients}


CHECKS = (
    Check(name="mlp", phase="2", title="MLP", run=_mlp),
    Check(name="cnn", phase="2", title="CNN", run=_cnn),
    Check(name="transformer", phase="2", title="TransformerEncoder", run=_transformer),
    Check(name="attention", phase="2", title="MultiheadAttention", run=_attention),
    Check(name="batched-matmul", phase="2", title="batched matmul", run=_batched),
    Check(name="backward", phase="2", title="forward and backward", run=_backward),
    Check(name="mixed", phase="2", title="mixed precision (FP16; BF16 on cpu)", run=_mixed),
)
