"""A Triton program for the stand-in: compiles a kernel and launches it, by Triton's own driver.

Run under AMD's runtime in an interpreter that has triton. PyTorch for ROCm is what says which
device and stream are current, and there is none: that is all that this adds to Triton's driver.
"""

from __future__ import annotations

import sys
from ctypes import CDLL, byref, c_void_p

import triton
import triton.language as tl
from triton.backends.amd.driver import HIPDriver, _get_path_to_hip_runtime_dylib
from triton.backends.compiler import GPUTarget


class Driver(HIPDriver):
    """Triton's, on device 0 and its NULL stream."""

    def __init__(self) -> None:
        super().__init__()
        self.get_current_device = lambda: 0
        self.get_current_stream = lambda device: 0


@triton.jit
def add_one(at, count, block: tl.constexpr):
    index = tl.program_id(0) * block + tl.arange(0, block)
    tl.store(at + index, tl.load(at + index, index < count) + 1, index < count)


def main() -> None:
    """Prints which library Triton has chosen, and launches the requested number of times."""
    triton.runtime.driver.set_active(Driver())
    library = _get_path_to_hip_runtime_dylib()
    print(library)
    memory = c_void_p()
    assert CDLL(library).hipMalloc(byref(memory), 4096) == 0
    source = triton.compiler.ASTSource(
        fn=add_one,
        signature={"at": "*fp32", "count": "i32", "block": "constexpr"},
        constexprs={"block": 256},
    )
    kernel = triton.compile(source, target=GPUTarget("hip", "gfx90a", 64))
    for _ in range(int(sys.argv[1])):
        kernel[(4, 1, 1)](memory.value, 1024, 256)
    assert CDLL(library).hipDeviceSynchronize() == 0


main()
