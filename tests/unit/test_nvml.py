"""What the bench reads from NVML, with a stand-in for it: this machine may have none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# As nvml.h of driver 580 declares them.
FAKE = """
#include <string.h>
typedef union { double d; unsigned u; unsigned long ul; unsigned long long ull; int s; } value_t;
typedef struct { unsigned long long time; value_t value; } sample_t;
int nvmlInit_v2(void) { return INIT; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  *device = (void *)(0x7000000000 + index);
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
  *device = (void *)(strcmp(uuid, "GPU-5") == 0 ? 0x7000000005 : 0);
  return *device == 0 ? 6 : 0;
}
int nvmlSystemGetDriverVersion(char *text, unsigned size) {
  strncpy(text, "580.1", size);
  return 0;
}
int nvmlDeviceGetSamples(void *device, int type, unsigned long long since, unsigned *kind,
                         unsigned *count, sample_t *samples) {
  if (type != 1 || *count < 3) return 2;
  for (int i = 0; i < 3; i++) samples[i].time = since + i - 1;
  samples[0].value.u = 100;  /* older than what was asked for */
  samples[1].value.u = 20 + (unsigned long)device % 16;
  samples[2].value.u = 60 + (unsigned long)device % 16;
  *kind = 1;
  *count = 3;
  return 0;
}
"""
ASK = """
import time
from giveway.devices.nvml import Utilization
found = Utilization()
print(found.reason, found.driver(), found.share(time.monotonic() - 1))
"""


def ask(folder: Path, visible: str = "") -> str:
    path = {"LD_LIBRARY_PATH": str(folder), "CUDA_VISIBLE_DEVICES": visible}
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, **path},
    )  # fmt: skip
    return done.stdout.strip()


def build(folder: Path, init: int) -> Path:
    source = folder / "nvml.c"
    source.write_text(FAKE.replace("INIT", str(init)))
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return folder


def test_the_samples_since_a_moment(tmp_path: Path) -> None:
    assert ask(build(tmp_path, init=0)) == "None 580.1 0.4"


def test_of_the_gpu_that_programs_see_first(tmp_path: Path) -> None:
    folder = build(tmp_path, init=0)
    assert ask(folder, "3,1") == "None 580.1 0.43"
    assert ask(folder, "GPU-5") == "None 580.1 0.45"
    assert ask(folder, "GPU-6") == "NVML cannot be used: error 6 None None"


def test_a_driver_that_does_not_answer(tmp_path: Path) -> None:
    assert ask(build(tmp_path, init=9)) == "NVML cannot be used: error 9 None None"


def test_a_library_of_something_else(tmp_path: Path) -> None:
    source = tmp_path / "nothing.c"
    source.write_text("int nothing;")
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-o", str(library), str(source)], check=True)
    assert ask(tmp_path).startswith("NVML cannot be used: ")
