"""A small training with the losses of its steps as exact numbers: FILL_BYTES STEPS."""

from __future__ import annotations

import os
import sys

os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # makes cuBLAS deterministic

import torch

fill, steps = int(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(7)
torch.use_deterministic_algorithms(True)
numbers = torch.randint(0, 1 << 30, (fill // 8,), dtype=torch.int64, device="cuda")
before = int(numbers.sum())
model = torch.nn.Sequential(
    torch.nn.Linear(512, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 1)
).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for _ in range(steps):
    optimizer.zero_grad()
    loss = model(torch.randn(256, 512, device="cuda")).square().mean()
    loss.backward()
    optimizer.step()
    print(float(loss).hex(), flush=True)
print("intact" if int(numbers.sum()) == before else "changed", flush=True)
