"""Measures how long giveway's commands take to start, compared with an empty Python program.

The commands run one after the other, in turn. Prints JSON, in milliseconds.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 20
GIVEWAY = str(Path(sys.executable).with_name("giveway"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "giveway --version": [GIVEWAY, "--version"],
    "giveway --help": [GIVEWAY, "--help"],
    "giveway ps": [GIVEWAY, "ps"],
    "giveway run -- true": [GIVEWAY, "run", "--", "true"],
}


def milliseconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            times[name].append(milliseconds(command))
    summary = {
        name: {
            "n": len(each),
            "min": round(min(each), 1),
            "p50": round(statistics.median(each), 1),
            "max": round(max(each), 1),
        }
        for name, each in times.items()
    }
    print(json.dumps({"startup_ms": summary}, indent=2))


if __name__ == "__main__":
    main()
