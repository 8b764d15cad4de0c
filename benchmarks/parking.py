"""How long parking takes, beside a plain copy of as much memory to the host.

A program holds memory of the device. It is parked and comes back, and checks what it holds. In each
round, a program without giveway copies as much memory of the device into page-locked host memory.
Prints JSON: seconds, and the times of ``giveway park`` and ``unpark`` over that of the copy.

    python benchmarks/parking.py --gib 60
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
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


def one_round(gib: int) -> dict[str, float]:
    me = (sys.executable, __file__, "--gib", str(gib), "--role")
    found: dict[str, float] = json.loads(subprocess.check_output([*me, "copy"]))
    run = ("giveway", "run", "--device", "cuda", "--name", "low", "--", *me, "hold")
    pipe = subprocess.PIPE
    with subprocess.Popen(run, stdin=pipe, stdout=pipe, text=True) as program:
        assert program.stdout is not None
        if program.stdout.readline() != "ready\n":
            raise SystemExit("the program does not start")
        found["park_s"] = giveway("park", str(program.pid))
        found["unpark_s"] = giveway("unpark", str(program.pid))
        out, _ = program.communicate("\n")
    if out != "True\n":
        raise SystemExit("the memory that came back is not what it was")
    for name in ("park", "unpark"):
        found[f"{name}_by_copy"] = found[f"{name}_s"] / found["copy_s"]
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
