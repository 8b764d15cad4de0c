"""Uses PyTorch's memory as its input says, a line of JSON an answer: for tests."""

from __future__ import annotations

import ctypes
import json
import sys

import torch

GIB = 1 << 30


class Memory(ctypes.Structure):
    """``nvmlMemory_t``."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("total", "free", "used"))


def nvml() -> Memory:
    """What NVML says about the first GPU."""
    library = ctypes.CDLL("libnvidia-ml.so.1")
    gpu, memory = ctypes.c_void_p(), Memory()
    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}".encode()
    assert library.nvmlInit_v2() == 0
    assert library.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(gpu)) == 0
    assert library.nvmlDeviceGetMemoryInfo(gpu, ctypes.byref(memory)) == 0
    return memory


torch.zeros(1, device="cuda")
kept = []
for line in sys.stdin:
    word, _, number = line.strip().partition(" ")
    refused = False
    if word == "allocate":
        try:
            kept.append(torch.empty(int(float(number) * GIB), dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            refused = True
    elif word == "free":
        kept.clear()
        torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    answer = {
        "refused": refused,
        "free": free,
        "total": total,
        "properties": torch.cuda.get_device_properties(0).total_memory,
        "nvml_total": nvml().total,
        "nvml_free": nvml().free,
    }
    print(json.dumps(answer), flush=True)
