"""Does to the memory of the first GPU what its input says, a line an answer: for tests."""

from __future__ import annotations

import ctypes
import sys

cuda = ctypes.CDLL("libcuda.so.1")
assert cuda.cuInit(0) == 0
context = ctypes.c_void_p()
assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
assert cuda.cuCtxSetCurrent(context) == 0
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
    else:
        assert cuda.cuMemGetInfo_v2(ctypes.byref(first), ctypes.byref(second)) == 0
        answer = f"{first.value} {second.value}"
    print(answer, flush=True)
