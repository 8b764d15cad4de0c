"""The program that is verified: runs one check once, with or without giveway.

``python -m giveway.verify.program SOURCE NAME DEVICE SEED FOLDER PARENT_PID`` writes the outputs of
the check into FOLDER (`giveway.verify.values`), and ``done.json`` with the status. The program does
not use giveway itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import os
import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, Final

from giveway.verify import children, values
from giveway.verify.check import Check, Place, Skip, from_source

SHOW_STACKS: Final = signal.SIGUSR2
"""The signal that makes the process write the Python stacks of its threads to stderr."""

_PR_SET_PDEATHSIG = 1
_NOT_DETERMINISTIC = "does not have a deterministic implementation"


def main() -> None:
    source, name, device, seed, folder, parent = sys.argv[1:]
    # A killed parent cannot end this process.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        return
    faulthandler.enable()
    faulthandler.register(SHOW_STACKS)
    with contextlib.suppress(OSError):
        # If memory runs out, the kernel kills this process first.
        Path("/proc/self/oom_score_adj").write_text("1000")
    children.watch(Path(folder))
    check = next(check for _, check in from_source(source) if check.name == name)
    done = _run(check, device, int(seed), Path(folder))
    done["rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Path(folder, "done.json").write_text(json.dumps(done))
    sys.exit(0 if done["status"] in ("done", "skipped") else 1)


def _run(check: Check, device: str, seed: int, folder: Path) -> dict[str, Any]:
    try:
        environment, noted = _compute(check, device, seed, folder)
    except Skip as reason:
        return {"status": "skipped", "reason": str(reason)}
    except Exception as error:
        traceback.print_exc()
        words = " ".join(str(error).split())
        kind = "out of memory" if _is_out_of_memory(error) else type(error).__name__
        return {"status": "failed", "reason": f"{kind}: {words}" if words else kind}
    return {"status": "done", "environment": environment, "not_deterministic": noted}


def _compute(
    check: Check, device: str, seed: int, folder: Path
) -> tuple[dict[str, Any], list[str]]:
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise RuntimeError(f"torch {torch.__version__} finds no GPU")
    place = Place(torch.device("cpu" if device == "cpu" else "cuda"), seed)
    torch.manual_seed(seed)
    # Operators without a deterministic implementation run nevertheless, and the report lists them.
    # use_deterministic_algorithms would do the same, but imports the compiler.
    torch.set_deterministic_debug_mode("warn")
    torch.backends.cudnn.benchmark = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        returned = check.run(place)
    noted = []
    for warning in caught:
        text = str(warning.message)
        if _NOT_DETERMINISTIC in text:
            noted.append(text.split()[0])
        else:
            print(f"{warning.category.__name__}: {text}", file=sys.stderr)
    values.write(folder, returned)
    return _environment(place), sorted(set(noted))


def _environment(place: Place) -> dict[str, Any]:
    import torch

    found: dict[str, Any] = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    if place.device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name()
        found["cuda"] = torch.version.cuda
        found["hip"] = torch.version.hip
        found["cudnn"] = torch.backends.cudnn.version()
    return found


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known or "can't allocate memory" in str(error) or "out of memory" in str(error)


if __name__ == "__main__":
    main()
