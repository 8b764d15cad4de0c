"""Does to the memory of the first GPU what its input says, a line an answer: for tests."""

from __future__ import annotations

import ctypes
import sys

cuda = ctypes.CDLL("libcuda.so.1")
assert cuda.cuInit(0) == 0
context = ctypes.c_void_p()
assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
assert cuda.cuCtxSetCurrent(context) == 0
nvml = ctypes.CDLL("libnvidia-ml.so.1")
gpu = ctypes.c_void_p()
assert nvml.nvmlInit_v2() == 0
assert nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(gpu)) == 0
seen = (ctypes.c_uint64 * 3)()  # total, free, used
memory: list[ctypes.c_size_t] = []
first, second = ctypes.c_size_t(), ctypes.c_size_t()
for line in sys.stdin:
    word, _, number = line.strip().partition(" ")
    if word == "allocate":
        address = ctypes.c_size_t()
        answer = cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(int(number)))
        if answer == 0:
            memory.append(address)
    elif word == "free":
        answer = cuda.cuMemFree_v2(memory.pop())
    elif word == "nvml":
        assert nvml.nvmlDeviceGetMemoryInfo(gpu, ctypes.byref(seen)) == 0
        answer = f"{seen[1]} {seen[0]}"
    else:
        assert cuda.cuMemGetInfo_v2(ctypes.byref(first), ctypes.byref(second)) == 0
        answer = f"{first.value} {second.value}"
    print(answer, flush=True)
