"""How long parking takes, beside a plain copy of as much memory to the host.

A program holds memory of the device. It is parked and comes back, and checks what it holds. In each
round, two programs without giveway have as much memory: one is moved by the driver's own calls, and
one copies its memory into page-locked host memory, which it allocates first.

Prints JSON: seconds, and the time of ``giveway park`` over the copy with the allocation, over the
copy alone, and over the driver's calls. Needs PyTorch and cuda-bindings.

    python benchmarks/parking.py --gib 60
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

CHUNK: Final = 1 << 27
"""Numbers of eight bytes in a tensor: 1 GiB."""


def copy(gib: int) -> None:
    """Prints the seconds of a copy to the host, and those of allocating the host's memory."""
    import torch

    device = [torch.zeros(CHUNK, dtype=torch.int64, device="cuda") for _ in range(gib)]
    began = time.monotonic()
    host = [torch.empty(CHUNK, dtype=torch.int64, pin_memory=True) for _ in range(gib)]
    allocated = time.monotonic()
    for to, source in zip(host, device, strict=True):
        to.copy_(source, non_blocking=True)
    torch.cuda.synchronize()
    print(json.dumps({"copy_s": time.monotonic() - allocated, "pin_s": allocated - began}))


def hold(gib: int) -> None:
    """Holds memory until a line comes; then says whether it is what it was."""
    import torch

    torch.manual_seed(7)
    kept = [
        torch.randint(0, 1 << 40, (CHUNK,), dtype=torch.int64, device="cuda") for _ in range(gib)
    ]
    before = [int(each.sum()) for each in kept]
    print("ready", flush=True)
    sys.stdin.readline()
    print(before == [int(each.sum()) for each in kept], flush=True)


def giveway(*words: str) -> float:
    """The seconds that a command takes."""
    command = shutil.which("giveway")
    if command is None:
        raise SystemExit("giveway is not installed")
    began = time.monotonic()
    done = subprocess.run([command, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"giveway {' '.join(words)}: {done.stderr}")
    return time.monotonic() - began


def by_driver(pid: int, *calls: str) -> float:
    """The seconds that the driver's calls about a process take."""
    from cuda.bindings import driver

    began = time.monotonic()
    for call in calls:
        (error,) = getattr(driver, f"cuCheckpointProcess{call}")(pid, None)
        if error != driver.CUresult.CUDA_SUCCESS:
            raise SystemExit(f"cuCheckpointProcess{call}: {error.name}")
    return time.monotonic() - began


def moved(
    command: Sequence[str], park: Callable[[int], float], unpark: Callable[[int], float]
) -> tuple[float, float]:
    """The seconds of both ways of a program, whose memory comes back as it was."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as program:
        assert program.stdout is not None
        if program.stdout.readline() != "ready\n":
            raise SystemExit("the program does not start")
        took = park(program.pid), unpark(program.pid)
        out, _ = program.communicate("\n")
    if out != "True\n":
        raise SystemExit("the memory that came back is not what it was")
    return took


def one_round(gib: int) -> dict[str, float]:
    me = (sys.executable, __file__, "--gib", str(gib), "--role")
    found: dict[str, float] = json.loads(subprocess.check_output([*me, "copy"]))
    found["driver_park_s"], found["driver_unpark_s"] = moved(
        [*me, "hold"],
        lambda pid: by_driver(pid, "Lock", "Checkpoint"),
        lambda pid: by_driver(pid, "Restore", "Unlock"),
    )
    found["park_s"], found["unpark_s"] = moved(
        ["giveway", "run", "--device", "cuda", "--name", "low", "--", *me, "hold"],
        lambda pid: giveway("park", str(pid)),
        lambda pid: giveway("unpark", str(pid)),
    )
    found["park_by_pinned_copy"] = found["park_s"] / (found["pin_s"] + found["copy_s"])
    found["park_by_copy"] = found["park_s"] / found["copy_s"]
    found["park_by_driver"] = found["park_s"] / found["driver_park_s"]
    found["unpark_by_driver"] = found["unpark_s"] / found["driver_unpark_s"]
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gib", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--role", choices=("copy", "hold"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role is not None:
        {"copy": copy, "hold": hold}[options.role](options.gib)
        return
    rounds = [one_round(options.gib) for _ in range(options.repeats)]
    print(json.dumps({"gib": options.gib, "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
