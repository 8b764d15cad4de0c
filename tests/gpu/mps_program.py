"""Works without a pause and prints its steps; with the word ``fault``, writes to address 16 first.

Ends with exit code 3 when the driver returns an error: for tests.
"""

from __future__ import annotations

import ctypes
import sys

import torch

PTX = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry fault() {
.reg .b64 %address;
.reg .b32 %value;
mov.u64 %address, 16;
mov.u32 %value, 1;
st.global.u32 [%address], %value;
ret;
}
"""


def fault() -> None:
    """Launches a kernel that writes where no memory is."""
    driver = ctypes.CDLL("libcuda.so.1")
    module, kernel = ctypes.c_void_p(), ctypes.c_void_p()
    assert driver.cuModuleLoadData(ctypes.byref(module), PTX) == 0
    assert driver.cuModuleGetFunction(ctypes.byref(kernel), module, b"fault") == 0
    driver.cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, None, None, None)


numbers = torch.zeros(1 << 20, device="cuda")
torch.cuda.synchronize()
print("ready", flush=True)
if sys.argv[1:] == ["fault"]:
    sys.stdin.readline()
    fault()
step = 0
try:
    while True:
        for _ in range(50):
            numbers.add_(1)
        torch.cuda.synchronize()
        step += 1
        print(step, flush=True)
except RuntimeError as error:
    print(str(error).splitlines()[0], flush=True)
    sys.exit(3)
