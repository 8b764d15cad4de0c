"""Has numbers on two GPUs, and looks at them for each line of its input: for tests."""

from __future__ import annotations

import sys

import torch

fill = int(sys.argv[1])
parts = [
    torch.randint(0, 256, (fill,), dtype=torch.uint8, device=f"cuda:{number}")
    for number in range(2)
]
sums = [int(part.sum(dtype=torch.int64)) for part in parts]
print("ready", flush=True)
for _ in sys.stdin:
    same = [int(part.sum(dtype=torch.int64)) for part in parts] == sums
    print("same" if same else "changed", flush=True)
