"""A CUDA program over ``cuda.bindings``, NVIDIA's own: it knows nothing of giveway.

Run as ``python bindings_program.py NAME``. Each prints what its test looks at, as JSON.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections import Counter
from typing import Any

from cuda.bindings import driver, runtime

asked: Counter[str] = Counter()
"""Number of calls by their kind in ``giveway trace``."""


def call(name: str, *args: Any, counts: str | None = None) -> Any:
    """Calls the driver, checks the error code, and returns the other results."""
    error, *rest = getattr(driver, name)(*args)
    if error:
        raise SystemExit(f"{name}: {error}")
    if counts is not None:
        asked[counts] += 1
    return rest[0] if rest else None


def start() -> Any:
    """A context on the first device; gives a module."""
    call("cuInit", 0)
    device = call("cuDeviceGet", 0)
    call("cuCtxSetCurrent", call("cuDevicePrimaryCtxRetain", device, counts="other"))
    return call("cuModuleLoadData", b"an image\0")


def launch(kernel: Any, stream: Any, counts: str = "launches") -> None:
    call("cuLaunchKernel", kernel, 1, 1, 1, 32, 1, 1, 0, stream, 0, 0, counts=counts)


def everything() -> None:
    """Each kind of call; prints how many of each there were."""
    function = call("cuModuleGetFunction", start(), b"ns_1000")
    library = call("cuLibraryLoadData", b"an image\0", [], [], 0, [], [], 0)
    kernel = call("cuLibraryGetKernel", library, b"ns_2000")
    stream = call("cuStreamCreate", driver.CUstream_flags.CU_STREAM_NON_BLOCKING, counts="other")
    per_thread = driver.cuGetProcAddress(b"cuLaunchKernel", 12000, 2)[1]
    of_null = "launches" if "per_thread" in sys.argv else "legacy_launches"
    assert int(per_thread)
    for _ in range(5):
        launch(function, driver.CUstream(0), of_null)
        launch(function, driver.CUstream(driver.CU_STREAM_LEGACY), "legacy_launches")
        launch(function, driver.CUstream(driver.CU_STREAM_PER_THREAD))
        launch(function, stream)
        launch(driver.CUfunction(int(kernel)), stream)

    event = call("cuEventCreate", 0)
    call("cuEventRecord", event, stream, counts="event_calls")
    call("cuStreamWaitEvent", driver.CUstream(0), event, 0, counts="event_calls")
    call("cuEventSynchronize", event, counts="syncs")
    call("cuEventQuery", event, counts="queries")
    call("cuStreamQuery", stream, counts="queries")

    memory = call("cuMemAlloc", 1024, counts="allocations")
    pooled = call("cuMemAllocAsync", 2048, stream, counts="allocations")
    host = call("cuMemHostAlloc", 1024, 0, counts="host_allocations")
    call("cuMemsetD8Async", pooled, 7, 1024, stream, counts="memsets")
    call("cuMemcpyDtoHAsync", host, pooled, 1024, stream, counts="copies")
    call("cuStreamSynchronize", stream, counts="syncs")
    assert ctypes.string_at(int(host), 1024) == b"\7" * 1024
    call("cuMemcpyHtoD", memory, host, 1024, counts="copies")
    back = bytearray(1024)
    call("cuMemcpyDtoH", back, memory, 1024, counts="copies")
    assert back == b"\7" * 1024

    mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL
    call("cuStreamBeginCapture", stream, mode, counts="other")
    for _ in range(3):
        launch(function, stream)
    graph = call("cuStreamEndCapture", stream, counts="other")
    executable = call("cuGraphInstantiate", graph, 0)
    for _ in range(2):
        call("cuGraphLaunch", executable, stream, counts="graph_launches")

    error, *_ = driver.cuLaunchKernel(None, 1, 1, 1, 1, 1, 1, 0, stream, 0, 0)
    assert error == driver.CUresult.CUDA_ERROR_INVALID_HANDLE
    asked.update(launches=1, failures=1)
    call("cuCtxSynchronize", counts="syncs")
    call("cuMemFreeAsync", pooled, stream, counts="frees")
    call("cuMemFree", memory, counts="frees")
    call("cuMemFreeHost", host, counts="host_frees")
    call("cuEventDestroy", event)
    call("cuStreamDestroy", stream, counts="other")
    print(json.dumps(asked))


def functions() -> None:
    """The library and the symbol that each function pointer of the bindings stands for."""
    from cuda.bindings._internal import driver as internal

    class Info(ctypes.Structure):
        _fields_ = [
            ("file", ctypes.c_char_p),
            ("base", ctypes.c_void_p),
            ("symbol", ctypes.c_char_p),
            ("address", ctypes.c_void_p),
        ]

    start()
    dladdr, info = ctypes.CDLL(None).dladdr, Info()
    found = {}
    for name, address in internal._inspect_function_pointers().items():
        if address and dladdr(ctypes.c_void_p(address), ctypes.byref(info)):
            found[name.strip("_")] = (info.file.decode(), (info.symbol or b"").decode())
    print(json.dumps(found))


def busy() -> None:
    """Bursts on the NULL stream until it is killed; a line for each."""
    kernel = call("cuModuleGetFunction", start(), b"ns_200000")
    while True:
        for _ in range(20):
            launch(kernel, driver.CUstream(0))
        call("cuCtxSynchronize")
        print(time.monotonic(), flush=True)


def library() -> None:
    """The answer of the runtime library on a driver that is not NVIDIA's."""
    calls = [
        runtime.cudaDriverGetVersion,
        runtime.cudaGetDeviceCount,
        lambda: runtime.cudaSetDevice(0),
        lambda: runtime.cudaMalloc(64),
        runtime.cudaDeviceSynchronize,
    ]
    print(json.dumps([int(function()[0]) for function in calls]))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
