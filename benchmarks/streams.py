"""An urgent program's bursts beside programs whose kernels are on one stream or on several.

The urgent program multiplies two bf16 matrices of 4096 thirty times about every 15 ms. It waits for
the end, or three times in between, as a service does that waits for each token. The others never
pause; their fp32 products of 4096 take some 2.7 ms each:

==========  =======================================================================================
``one``     one stream
``two``     two streams, neither of which waits for the other
``events``  two streams that wait for each other's events
``ddp``     DistributedDataParallel over NCCL on two GPUs; the urgent program is on the first
``mixed``   the same in bf16 (autocast), so that its kernels take some 0.2 ms
==========  =======================================================================================

Modes, in turn within each round: ``alone``, ``native`` (together, without giveway), ``giveway``,
with ``--before SHIM`` the shim of another build, and with ``--mps`` also ``mps`` and
``mps+giveway`` (clients of NVIDIA's MPS, the other program with the lower client priority). Then
the other program by itself, without giveway and with it. Prints JSON lines: the latencies of all
bursts of a segment, and the steps per second of the other program. Needs PyTorch and one GPU;
``ddp`` and ``mixed`` need two.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from giveway.devices import mps

SIZE: Final = 4096
PRODUCTS: Final = 30
PERIOD: Final = 0.015
BETWEEN_WAITS: Final = 100e-6
WARM_BURSTS: Final = 3
START_SECONDS: Final = 60.0
LOWS: Final = ("one", "two", "events", "ddp", "mixed")
TRAININGS: Final = ("ddp", "mixed")


# ---- the urgent program --------------------------------------------------------------------------


def urgent(seconds: float, waits: int) -> dict[str, Any]:
    """Latencies of bursts, in milliseconds."""
    import torch

    a = torch.randn(SIZE, SIZE, device="cuda", dtype=torch.bfloat16)
    b = torch.empty_like(a)
    latencies = []
    end = due = time.monotonic()
    end += seconds
    while time.monotonic() < end:
        began = time.monotonic()
        for wait in range(waits):
            for _ in range(PRODUCTS // waits):
                torch.mm(a, a, out=b)
            torch.cuda.synchronize()
            if wait + 1 < waits:
                time.sleep(BETWEEN_WAITS)
        latencies.append((time.monotonic() - began) * 1e3)
        due = max(due + PERIOD, time.monotonic() + 0.002)
        time.sleep(due - time.monotonic())
    return {"latencies_ms": [round(each, 3) for each in latencies[WARM_BURSTS:]], "ended": end}


# ---- the other program ---------------------------------------------------------------------------


def products(kind: str) -> Callable[[], None]:
    """A step of six products."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    a, b = (torch.randn(SIZE, SIZE, device="cuda") for _ in range(2))
    first, second = torch.empty_like(a), torch.empty_like(a)
    small = torch.randn(1 << 20, device="cuda")
    side = torch.cuda.Stream()

    def step() -> None:
        for _ in range(6):
            torch.mm(a, b, out=first)
            if kind == "two":
                with torch.cuda.stream(side):
                    torch.mm(b, a, out=second)
            elif kind == "events":
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    small.add_(1)
                torch.cuda.current_stream().wait_stream(side)

    return step


def training(rank: int, *, mixed: bool) -> Callable[[], None]:
    """A training step of six layers over two GPUs."""
    import torch

    torch.cuda.set_device(rank)
    address = "tcp://127.0.0.1:29511"
    torch.distributed.init_process_group("nccl", init_method=address, rank=rank, world_size=2)
    layers = [m for _ in range(6) for m in (torch.nn.Linear(SIZE, SIZE), torch.nn.ReLU())]
    model = torch.nn.parallel.DistributedDataParallel(
        torch.nn.Sequential(*layers).cuda(), device_ids=[rank]
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    data = torch.randn(SIZE, SIZE, device="cuda")

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=mixed):
            loss = model(data).square().mean()
        loss.backward()
        optimizer.step()

    return step


def low(kind: str, rank: int, ready: Path) -> None:
    """Works until it is killed; writes the number of steps and the time after every fourth step."""
    import torch

    step = training(rank, mixed=kind == "mixed") if kind in TRAININGS else products(kind)
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    steps = 0
    with ready.open("w", buffering=1) as out:
        while True:
            print(steps, time.monotonic(), file=out)
            for _ in range(4):
                step()
            torch.cuda.synchronize()
            steps += 4


# ---- both ----------------------------------------------------------------------------------------


class Mode(NamedTuple):
    """How the programs share the device."""

    shim: Path | None = None
    pipes: Path | None = None
    """The folder of the MPS control daemon; None: without MPS."""


class Programs:
    """How to start the programs in each mode."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds

    def _start(
        self, mode: Mode, priority: int, visible: str | None, *words: str
    ) -> subprocess.Popen[str]:
        pages = self._folder / "pages"
        environment = {**os.environ, "GIVEWAY_DIR": str(pages), "GIVEWAY_PRIORITY": str(priority)}
        if priority == 0:
            environment["GIVEWAY_JOB"] = "training"
        if visible is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        if mode.shim is not None:
            folder = str(mode.shim.parent)
            environment |= {"LD_PRELOAD": str(mode.shim), "LD_LIBRARY_PATH": folder}
        if mode.pipes is not None:
            below = "1" if priority == 0 else "0"
            environment = mps.environment(environment, mode.pipes) | {mps.PRIORITY: below}
        command = [sys.executable, __file__, *words]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def burst(self, mode: Mode, waits: int) -> dict[str, Any]:
        """The urgent program, to its end."""
        words = ("--role", "urgent", "--seconds", f"{self._seconds:g}", "--waits", str(waits))
        out, _ = self._start(mode, 10, "0", *words).communicate()
        found: dict[str, Any] = json.loads(out)
        return found

    def together(self, kind: str, mode: Mode, waits: int) -> dict[str, Any]:
        """The bursts beside the other program, and the steps of that one."""
        with self._others(kind, mode) as progress:
            found = self.burst(mode, waits)
            end = found.pop("ended")
            steps = rate(progress.read_text(), end - self._seconds, end)
            return found | {"low_steps_per_s": steps}

    def by_itself(self, kind: str, mode: Mode) -> dict[str, Any]:
        """The steps of the other program, without bursts."""
        with self._others(kind, mode) as progress:
            time.sleep(self._seconds)
            end = time.monotonic()
            return {"low_steps_per_s": rate(progress.read_text(), end - self._seconds, end)}

    @contextmanager
    def _others(self, kind: str, mode: Mode) -> Iterator[Path]:
        ranks = range(2) if kind in TRAININGS else range(1)
        ready = [self._folder / f"rank{rank}" for rank in ranks]
        started = [
            self._start(mode, 0, None, "--role", kind, "--rank", str(rank), "--ready", str(path))
            for rank, path in zip(ranks, ready, strict=True)
        ]
        try:
            self._wait_for(started, ready)
            yield ready[0]
        finally:
            for program in started:
                program.kill()
                program.communicate()
            for path in ready:
                path.unlink(missing_ok=True)

    def _wait_for(self, started: list[subprocess.Popen[str]], ready: list[Path]) -> None:
        end = time.monotonic() + START_SECONDS
        while not all(path.exists() and path.read_text().count("\n") > 1 for path in ready):
            if time.monotonic() > end or any(each.poll() is not None for each in started):
                raise SystemExit("the other program does not start")
            time.sleep(0.1)


def rate(progress: str, began: float, ended: float) -> float:
    """Steps a second between two moments, from lines of steps and times."""
    lines = [line.split() for line in progress.splitlines()]
    since = [
        (int(s), float(t))
        for s, t in (line for line in lines if len(line) == 2)
        if began < float(t) < ended
    ]
    (first, start), (last, end) = since[0], since[-1]
    return round((last - first) / (end - start), 2)


def segments(
    programs: Programs, options: argparse.Namespace, pipes: Path | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """One round: a name, and what was measured."""
    shim = options.shim.absolute()
    modes = {"native": Mode()}
    if options.before is not None:
        modes["before"] = Mode(options.before.absolute())
    modes["giveway"] = Mode(shim)
    if pipes is not None:
        modes |= {"mps": Mode(None, pipes), "mps+giveway": Mode(shim, pipes)}
    for waits in (1, 3):
        found = programs.burst(Mode(), waits)
        found.pop("ended")
        yield f"alone, {waits} waits", found
    for kind in options.low.split(","):
        for name, mode in modes.items():
            yield f"{kind}, {name}", programs.together(kind, mode, 1)
        for name in ("native", "giveway"):
            yield f"{kind} by itself, {name}", programs.by_itself(kind, modes[name])
    if "one" in options.low.split(","):
        for name, mode in modes.items():
            yield f"one, {name}, 3 waits", programs.together("one", mode, 3)


@contextmanager
def multi_process_service(folder: Path) -> Iterator[Path]:
    """A control daemon of MPS; the folder of its pipes."""
    folder.mkdir()
    command = [mps.CONTROL, "-f"]
    with subprocess.Popen(command, env=mps.daemon_environment(folder)) as daemon:
        try:
            while not (folder / "control").exists():
                if daemon.poll() is not None:
                    raise SystemExit("MPS does not start")
                time.sleep(0.05)
            yield folder
        finally:
            mps.command(folder, "quit -t 1")
            daemon.kill()


def percentiles(measured: dict[str, Any]) -> dict[str, Any]:
    if "latencies_ms" not in measured:
        return measured
    ordered = sorted(measured["latencies_ms"])
    at = {f"p{p}": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 90, 99)}
    return at | measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shim", type=Path, help="libgiveway-cuda.so")
    parser.add_argument("--before", type=Path, help="the shim of another build")
    parser.add_argument("--mps", action="store_true", help="with MPS too")
    parser.add_argument("--low", default="one,two,events", help=f"of {', '.join(LOWS)}")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--waits", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--ready", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "urgent":
        print(json.dumps(urgent(options.seconds, options.waits)))
    elif options.role is not None:
        low(options.role, options.rank, options.ready)
    elif options.shim is None:
        parser.error("--shim says which library to preload")
    else:
        # Drivers hold on to a page in memory, not to a file on a disk.
        with tempfile.TemporaryDirectory(dir="/dev/shm") as name, ExitStack() as stack:
            folder = Path(name)
            (folder / "pages").mkdir(mode=0o700)
            programs = Programs(folder, options.seconds)
            service = multi_process_service(folder / "mps")
            pipes = stack.enter_context(service) if options.mps else None
            for number in range(options.repeats):
                for name, found in segments(programs, options, pipes):
                    line = {"round": number, "segment": name, **percentiles(found)}
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
