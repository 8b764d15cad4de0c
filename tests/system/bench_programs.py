"""Programs and scenarios for `giveway bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from giveway.results import result

SERVE = """
import os, time
report = os.fdopen(int(os.environ["GIVEWAY_BENCH_FD"]), "w", buffering=1)
print("ready", file=report)
due = time.monotonic()
while True:
    time.sleep(max(0, due - time.monotonic()))
    time.sleep(0.002)
    print(f"done {time.monotonic() - due:.6f} 0.001", file=report)
    due += 0.01
"""
WORK = """
import os, time
report = os.fdopen(int(os.environ["GIVEWAY_BENCH_FD"]), "w", buffering=1)
print("ready", file=report)
while True:
    time.sleep(0.01)
    print("done 0.01", file=report)
"""
SILENT = """
import os, time
print("about to do nothing", flush=True)
os.write(int(os.environ["GIVEWAY_BENCH_FD"]), b"ready\\n")
time.sleep(1000)
"""
# With a child of its own, which is not to be left behind either.
CHILD = "import subprocess\nsubprocess.Popen(['sleep', '1000'])\n"
SMALL = """
title = "Small models"

[[program]]
name = "high"
priority = 10
model = "squeezenet1_1"
arrivals = "poisson"
rate = 10
sizes = [{ image = 32 }]

[[program]]
name = "low"
model = "resnet18"
task = "train"
sizes = [{ batch = 1, image = 32 }]

[[bar]]
program = "high"
figure = "p99_ms"
at_most = 1e9
"""
# For a test that looks at no figures: the mode takes one segment. Of commands it has no timeline.
BRIEFLY = "nice"


def scenario(
    folder: Path, name: str, high: str, low: str = WORK, answer: int = 60, **others: str
) -> str:
    text = f'title = "{name}"\nstart_timeout = 60\nanswer_timeout = {answer}\n'
    for number, (program, code) in enumerate({"high": high, "low": low, **others}.items()):
        path = folder / f"{name}-{program}.py"
        path.write_text(code)
        command = json.dumps(["python3", str(path)])
        text += f'[[program]]\nname = "{program}"\npriority = {-number}\ncommand = {command}\n'
    # An extreme has no interval, which has no bounds where two rounds differ much.
    text += '[[bar]]\nprogram = "high"\nfigure = "max_ms"\nat_most = 1e6\nmode = "native"\n'
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


def arguments(
    folder: Path, *scenarios: str, modes: str = "alone,native", repeats: int = 1
) -> list[str]:
    return [
        "bench", *scenarios, "--modes", modes, "--seconds", "0.5", "--repeats", str(repeats),
        "--device", "cpu", "--out", str(folder / "out"), "--anyway",
    ]  # fmt: skip


def of(found: result.Result, name: str) -> dict[str, Any]:
    return next(each for each in found["results"] if each["name"] == name)
