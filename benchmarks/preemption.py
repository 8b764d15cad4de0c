"""What runs on an NVIDIA GPU after a gate has closed, and where the time of a preemption goes.

Two programs share the GPU: one works without a pause, and an urgent one has a request about every
10 ms, of one kernel of 20 us or of several with a wait after each. Both record the begin and end of
their kernels by the clock of the device (``benchmarks/preempt.c``). Each round runs every case in
every mode, and each request alone. For each of them, in us:

===============  ==================================================================================
``total``        from the urgent launch until the program has the result
``ran``          how long the other's work ran in that time: what the gate did not stop
``kernels``      ... and how many of its kernels or copies that was: a number, not us
``call``         the part of the launching call, in which the gate closes
``residue``      from the call to the end of the other's last kernel: the preemption latency
``switch``       from there (or from the call, if nothing ran) to the start of the urgent kernel
``done``         from the end of the urgent kernel until the program has the result
``wake``         from the end of the urgent kernel to the start of the other's next kernel
``mid``          the share of urgent kernels that began within a kernel of the other, which the time
                 slicing of the device stopped, not a gate
``first``        ``total``, ``ran`` and ``kernels`` of the first request: a cold start
===============  ==================================================================================

``ratios``: ``total`` over that of the same request alone, and the other's kernels per second over
those without giveway. Of each the least, the median and the greatest over the rounds.

One command measures everything in under 8 minutes:

    python benchmarks/preemption.py build/native > preemption.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

URGENT_US: Final = 20
CANNOT: Final = 77
MODES: Final[Mapping[str, Mapping[str, str] | None]] = {
    "native": None,
    "giveway": {},
    "window": {"GIVEWAY_STREAM_GATE_US": "0"},
    "gates 250": {"GIVEWAY_STREAM_GATE_US": "250"},
    "gates 100": {"GIVEWAY_STREAM_GATE_US": "100"},
}
Times = NDArray[np.int64]
Parts = dict[str, "Times | float"]
Figures = dict[str, Any]


class Case(NamedTuple):
    """What the other program does, and how often each urgent request waits."""

    us: int
    low: tuple[str, ...] = ()
    waits: int = 1
    shares: bool = False


CASES: Final[Mapping[str, Case]] = {
    "20 us": Case(20),
    "200 us": Case(200),
    "2 ms": Case(2000),
    "20 ms": Case(20_000),
    "full grid": Case(2000, ("grid=1",)),
    "persistent": Case(2000, ("grid=1", "work=varying")),
    "2 streams": Case(200, ("streams=2",)),
    "4 streams": Case(200, ("streams=4",)),
    "8 streams": Case(200, ("streams=8",)),
    "4 waits": Case(200, waits=4),
    "16 waits": Case(200, waits=16),
    "copies": Case(1000, ("work=copies",)),
    "re-captured graphs": Case(2000, ("work=recaptured",)),
    "updated graphs": Case(2000, ("work=updated",)),
    "cold start": Case(2000, ("queue=1000",)),
    "shared memory": Case(200, shares=True),
}


# ---- arithmetic ----------------------------------------------------------------------------------


def split(urgent: Times, low: Times) -> Parts:
    """Splits each preemption into its parts, in nanoseconds.

    Args:
        urgent: rows of called, returned, began, ended, noticed; ascending.
        low: rows of began, ended; ascending by began.
    """
    urgent = urgent[(urgent[:, 0] > low[0, 0]) & (urgent[:, 4] < low[-1, 0])]
    called, returned, began, ended, noticed = urgent.T
    following = np.searchsorted(low[:, 0], began)
    last_ended = np.maximum.accumulate(low[:, 1])[following - 1]
    next_began = low[np.searchsorted(low[:, 0], ended), 0]
    middle = last_ended > began
    clean = ~middle
    free = np.maximum(last_ended, called)
    return {
        "total": noticed - called,
        **after_closing(urgent, low),
        "call": returned - called,
        "residue": (free - called)[clean],
        "switch": (began - free)[clean],
        "done": noticed - ended,
        "wake": next_began - ended,
        "mid": float(np.mean(middle)) if len(middle) else 0.0,
    }


def after_closing(urgent: Times, low: Times) -> dict[str, Times]:
    """How long the other's work ran during each request, and how many of its kernels.

    Args:
        urgent: as for ``split``.
        low: as for ``split``. Kernels on several streams may overlap.
    """
    merged = union(low)
    ran, kernels = [], []
    for called, noticed in urgent[:, (0, 4)]:
        inside = np.minimum(merged[:, 1], noticed) - np.maximum(merged[:, 0], called)
        ran.append(int(inside[inside > 0].sum()))
        kernels.append(int(np.sum((low[:, 1] > called) & (low[:, 0] < noticed))))
    return {"ran": np.array(ran, np.int64), "kernels": np.array(kernels, np.int64)}


def union(spans: Times) -> Times:
    """The times in which any of the spans runs; the spans ascend by their begin."""
    if len(spans) == 0:
        return spans
    until = np.maximum.accumulate(spans[:, 1])
    starts = np.flatnonzero(np.r_[True, spans[1:, 0] > until[:-1]])
    return np.column_stack((spans[starts, 0], until[np.r_[starts[1:] - 1, len(spans) - 1]]))


def figures(parts: Mapping[str, Times | float]) -> Figures:
    """The number of requests, with p50, p90 and p99 of each part: in us, or as a number."""
    found: Figures = {}
    for name, values in parts.items():
        if isinstance(values, float):
            found[name] = round(values, 4)
        elif len(values):
            shown = np.percentile(values, (50, 90, 99)) / (1 if name == "kernels" else 1e3)
            found[name] = dict(zip(("p50", "p90", "p99"), shown.round(1).tolist(), strict=True))
            found[name]["n"] = len(values)
    return found


def first(urgent: Times, low: Times) -> Figures:
    """The first request."""
    total = {"total": urgent[:1, 4] - urgent[:1, 0]}
    found = figures(total | after_closing(urgent[:1], low))
    return {name: each["p50"] for name, each in found.items()}


def rate(spans: Times) -> float:
    """The rate of kernels, per second."""
    return 1e9 * len(spans) / max(1.0, float(spans[-1, 1] - spans[0, 0]))


def spread(values: Iterable[float]) -> list[float]:
    """The least, the median and the greatest."""
    known = sorted(values)
    return [round(each, 3) for each in (known[0], statistics.median(known), known[-1])]


def ratios(rounds: list[dict[str, Figures]]) -> Figures:
    """By case and mode: each round's figures over those of the same round alone, or native."""
    table: Figures = {}
    for name in rounds[0]:
        for mode in rounds[0][name]:
            of_all = [each[name] for each in rounds]
            if mode == "alone" or not all("total" in each[mode] for each in of_all):
                continue
            row = table.setdefault(name, {}).setdefault(mode, {})
            for key in ("p50", "p90"):
                row[f"total {key}"] = spread(
                    each[mode]["total"][key] / each["alone"]["total"][key] for each in of_all
                )
            if mode != "native" and all("total" in each.get("native", ()) for each in of_all):
                row["kernels per s"] = spread(
                    each[mode]["low_kernels_per_s"] / each["native"]["low_kernels_per_s"]
                    for each in of_all
                )
    return table


# ---- the programs --------------------------------------------------------------------------------


class Programs:
    """Starts the two programs."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        build = options.build.absolute()
        self._program = build / "benchmarks" / "preempt"
        hook = "libgiveway-cuda-hooks.so" if options.interpose else "libgiveway-cuda.so"
        self._shim = build / "native" / "gpu" / hook
        self._base = {**os.environ, "GIVEWAY_DIR": str(folder)}
        self._folder, self._seconds, self._fake = folder, options.seconds, options.fake
        self._rounds: dict[tuple[int, bool], int] = {}
        if options.fake:
            fake = build / "native" / "fake" / "libfake-cuda.so"
            (folder / "libcuda.so.1").symlink_to(fake)
            self._base |= {
                "GIVEWAY_FAKE_DIR": str(folder),
                "LD_LIBRARY_PATH": str(folder),
                "GIVEWAY_CUDA_LIBRARY": str(fake),
                "GIVEWAY_FAKE_COPY_NS": "1000",  # for each KiB
            }

    def _start(
        self, role: str, arguments: Iterable[str], gate: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        shim: dict[str, str] = {}
        if gate is not None:
            priority = "10" if role == "urgent" else "0"
            shim = {"LD_PRELOAD": str(self._shim), "GIVEWAY_PRIORITY": priority, **gate}
        with (self._folder / role).open("wb") as out:
            return subprocess.Popen(
                [str(self._program), role, *arguments],
                env=self._base | shim, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE,
            )  # fmt: skip

    def _kernel(self, us: int, *, grid: bool) -> int:
        """The rounds of a kernel of that length, measured while nothing else runs."""
        key = us, grid
        if self._fake:
            return us * 1000  # nanoseconds
        if key not in self._rounds:
            options = ("calibrate", str(us), "0", *(["grid=1"] if grid else []))
            out = subprocess.check_output([str(self._program), *options], env=self._base)
            self._rounds[key] = int(out)
        return self._rounds[key]

    def _spans(self, role: str, columns: int) -> Times:
        return np.fromfile(self._folder / role, np.int64).reshape(-1, columns)

    def _requests(
        self, waits: int, share: list[str], gate: Mapping[str, str] | None
    ) -> Times | None:
        """The times of all requests; None where the driver cannot do this."""
        rounds = self._kernel(URGENT_US, grid=False)
        options = (f"{self._seconds:g}", str(rounds), f"waits={waits}", *share)
        return self._spans("urgent", 5) if ended(self._start("urgent", options, gate)) else None

    def alone(self, waits: int) -> Figures:
        urgent = self._requests(waits, [], None)
        assert urgent is not None
        called, returned, began, ended, noticed = urgent[1:].T
        return figures(
            {
                "total": noticed - called,
                "call": returned - called,
                "switch": began - called,
                "done": noticed - ended,
            }
        )

    def together(self, case: Case, gate: Mapping[str, str] | None) -> Figures:
        handle = self._folder / "shared"
        handle.unlink(missing_ok=True)
        share = [f"share={handle}"] if case.shares else []
        rounds = self._kernel(case.us, grid="grid=1" in case.low)
        low = self._start("low", (str(case.us), str(rounds), *case.low, *share), gate)
        assert low.stderr is not None
        said = low.stderr.readline()
        if said not in (b"ready\n", b""):  # nothing: the program has ended
            low.kill()
            raise SystemExit(f"preempt says: {said.decode()}")
        urgent = self._requests(case.waits, share, gate) if said else None
        if not ended(low) or urgent is None:
            return {"reason": "this driver cannot do it"}
        spans = self._spans("low", 2)
        spans = spans[np.argsort(spans[:, 0], kind="stable")]
        found = figures(split(urgent[1:], spans))
        return found | {"first": first(urgent, spans), "low_kernels_per_s": round(rate(spans), 1)}


def ended(program: subprocess.Popen[bytes]) -> bool:
    """Tells the program to end, and waits for it. False: the driver cannot do what it should."""
    _, said = program.communicate()
    cannot = program.returncode == CANNOT
    if not cannot and (program.returncode != 0 or said):
        raise SystemExit(f"preempt: exit code {program.returncode}: {said.decode()}")
    return not cannot


def one_round(
    programs: Programs, cases: Iterable[str], modes: list[str], number: int
) -> dict[str, Figures]:
    """Modes begin with another one in each round, in case that the order matters."""
    alone: dict[int, Figures] = {}
    done: dict[str, Figures] = {}
    for name in cases:
        case = CASES[name]
        if case.waits not in alone:
            alone[case.waits] = programs.alone(case.waits)
        turned = modes[number % len(modes) :] + modes[: number % len(modes)]
        found = {mode: programs.together(case, MODES[mode]) for mode in turned}
        done[name] = {"alone": alone[case.waits]} | {mode: found[mode] for mode in modes}
    return done


def chosen(text: str, known: Mapping[str, Any]) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(known):
        raise SystemExit(f"not {', '.join(sorted(unknown))}; there is {', '.join(known)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("build", type=Path, help="folder that make native built: build/native")
    parser.add_argument("--fake", action="store_true", help="on the fake driver")
    parser.add_argument("--interpose", action="store_true", help="with the hooks beside the driver")
    parser.add_argument("--seconds", type=float, default=1.5, help="of requests, in each run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--modes", default="native,giveway", help=f"of {', '.join(MODES)}")
    options = parser.parse_args()
    cases, modes = chosen(options.cases, CASES), chosen(options.modes, MODES)
    # In memory, because a driver does not accept a page on a disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        programs = Programs(options, Path(folder))
        rounds = [one_round(programs, cases, modes, n) for n in range(options.repeats)]
    result = {
        "driver": "fake, times are simulated" if options.fake else "the machine's",
        "urgent": f"kernels of {URGENT_US} us",
        "ratios": ratios(rounds),
        "rounds": rounds,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
