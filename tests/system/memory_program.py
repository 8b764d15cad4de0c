"""Does to the memory of a GPU what its input says, a line an answer: for tests."""

from __future__ import annotations

import ctypes
import sys


class Array(ctypes.Structure):
    """``CUDA_ARRAY_DESCRIPTOR``."""

    _fields_ = (
        *((name, ctypes.c_size_t) for name in ("width", "height")),
        *((name, ctypes.c_uint) for name in ("format", "channels")),
    )


class Node(ctypes.Structure):
    """``CUDA_MEM_ALLOC_NODE_PARAMS``."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("type", "handle_types", "location_type", "location")),
        ("others", ctypes.c_uint64 * 11),
        *((name, ctypes.c_size_t) for name in ("bytes", "address")),
    )


BYTES = 1  # CU_AD_FORMAT_UNSIGNED_INT8
ROW = 1 << 14
PINNED = DEVICE = 1


def create_array(size: int) -> int:
    """Keeps the array."""
    array = ctypes.c_void_p()
    wanted = Array(ROW, size // ROW, BYTES, 1)
    return int(cuda.cuArrayCreate_v2(ctypes.byref(array), ctypes.byref(wanted)))


def run_graph(size: int) -> int:
    """A graph that allocates, and frees that at its end."""
    graph, runs, first, last = (ctypes.c_void_p() for _ in range(4))
    wanted = Node(type=PINNED, location_type=DEVICE, bytes=size)
    assert cuda.cuGraphCreate(ctypes.byref(graph), 0) == 0
    added = cuda.cuGraphAddMemAllocNode(
        ctypes.byref(first), graph, None, ctypes.c_size_t(0), ctypes.byref(wanted)
    )
    if added != 0:
        return int(added)
    result = cuda.cuGraphAddMemFreeNode(
        *(ctypes.byref(last), graph, ctypes.byref(first), ctypes.c_size_t(1)),
        ctypes.c_size_t(wanted.address),
    )
    assert result == 0
    assert cuda.cuGraphInstantiateWithFlags(ctypes.byref(runs), graph, ctypes.c_uint64(0)) == 0
    return int(cuda.cuGraphLaunch(runs, None) or cuda.cuCtxSynchronize())


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
    elif word == "device":
        assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), int(number)) == 0
        answer = cuda.cuCtxSetCurrent(context)
    elif word == "array":
        answer = create_array(int(number))
    elif word == "graph":
        answer = run_graph(int(number))
    elif word == "trim":
        answer = cuda.cuDeviceGraphMemTrim(0)
    elif word == "nvml":
        assert nvml.nvmlDeviceGetMemoryInfo(gpu, ctypes.byref(seen)) == 0
        answer = f"{seen[1]} {seen[0]}"
    else:
        assert cuda.cuMemGetInfo_v2(ctypes.byref(first), ctypes.byref(second)) == 0
        answer = f"{first.value} {second.value}"
    print(answer, flush=True)
