"""Other behaviour: graphs, compilers, streams, threads, processes, profilers."""

from __future__ import annotations

import os
import sysconfig
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from giveway.verify.check import Check, Place, Skip
from giveway.verify.seen import Seen

if TYPE_CHECKING:
    import torch

_GPUS = ("cuda", "hip")
_REPLAYS = 5
_PER_THREAD_STREAM = 2
"""The handle of the per-thread default stream in both runtimes."""
_URGENT, _OTHER = ("urgent", 10), ("other", -10)
_JOIN_SECONDS = 100.0


def _perceptron(size: int = 256) -> torch.nn.Module:
    from torch import nn

    return nn.Sequential(nn.Linear(size, 2 * size), nn.ReLU(), nn.Linear(2 * size, size))


def _need_headers() -> None:
    """Skips the check without the C headers of Python, which torch.compile and Triton need."""
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise Skip("no Python.h: install python3-dev")


def _graphs(at: Place) -> object:
    import torch

    with at.device:
        model, given = _perceptron(), torch.randn(64, 256)
        inputs = torch.randn(_REPLAYS, 64, 256)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            model(given).sum().backward()  # allocates what the capture needs
        torch.cuda.current_stream().wait_stream(side)
        model.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = model(given)
            output.sum().backward()
        outputs = []
        for number in range(_REPLAYS):
            given.copy_(inputs[number])
            graph.replay()
            outputs.append(output.clone())
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    return {"outputs": outputs, "gradients": gradients}


def _expect_replays(seen: Seen) -> str | None:
    if seen.graph_launches is not None and seen.graph_launches < _REPLAYS:
        return f"giveway counted {seen.graph_launches} of {_REPLAYS} replays"
    return None


def _compile(at: Place) -> object:
    import torch

    _need_headers()
    # A new cache keeps the second process from using the results of the first.
    with tempfile.TemporaryDirectory() as cache, at.device:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.environ["TRITON_CACHE_DIR"] = cache
        torch.use_deterministic_algorithms(True, warn_only=True)  # also for the compiler
        model = _perceptron()
        compiled = torch.compile(model)
        given = torch.randn(64, 256, requires_grad=True)
        output = compiled(given)
        output.sum().backward()
    if not torch._dynamo.utils.counters["stats"]["unique_graphs"]:
        raise RuntimeError("torch.compile compiled nothing")
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    return {"output": output, "input": given.grad, "gradients": gradients}


def _triton(at: Place) -> object:
    import torch

    from giveway.verify import kernels

    _need_headers()
    with at.device:
        x, y = torch.randn(100_000), torch.randn(100_000)
        result = torch.empty_like(x)
        kernels.run(2.0, x, y, result)
        torch.testing.assert_close(result, 2 * x + y)
    return result


def _expect_kernel(seen: Seen) -> str | None:
    return None if "axpy" in seen.kernels else "giveway did not count the Triton kernel"


def _streams(at: Place) -> object:
    import torch

    with at.device:
        given, main = torch.randn(512, 512), torch.cuda.current_stream()
        one, two = torch.cuda.Stream(), torch.cuda.Stream(priority=-1)
        began, done = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        results = []
        for _ in range(5):
            one.wait_stream(main)
            with torch.cuda.stream(one):
                began.record()
                product = given @ given
                done.record()
            two.wait_event(done)
            with torch.cuda.stream(two):
                product.record_stream(two)
                results.append(product.relu().sum(dim=0))
            main.wait_stream(two)
            given = given + results[-1] / 1e3
        done.synchronize()
        if began.elapsed_time(done) <= 0:
            raise RuntimeError("the time between two events is not positive")
        main.synchronize()
    return {"results": results, "given": given}


def _expect_streams(seen: Seen) -> str | None:
    if seen.null_stream is not None and seen.launches == seen.null_stream:
        return "giveway counted launches on the NULL stream only"
    return None


def _in_threads(work: Callable[[int], None], count: int = 2) -> None:
    """Runs ``work(number)`` in threads; raises the first exception of a thread."""
    problems: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def _per_thread(at: Place) -> object:
    import torch

    with at.device:
        given = torch.randn(2, 512, 512)
        # Allocated here: torch would confuse the streams of two threads, which share a handle.
        results = torch.zeros_like(given)
    torch.cuda.synchronize()

    def work(number: int) -> None:
        stream = torch.cuda.ExternalStream(_PER_THREAD_STREAM, device=at.device)
        with torch.cuda.stream(stream):
            for _ in range(10):
                torch.mul(given[number], 1.5, out=results[number])
                results[number].add_(given[number]).relu_()
            stream.synchronize()

    _in_threads(work)
    return results


class _Numbers:
    """A dataset of random rows, which depend only on their index."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, number: int) -> Any:
        import torch

        generator = torch.Generator().manual_seed(number)
        return torch.randn(256, generator=generator)


def _workers(at: Place) -> object:
    import torch
    from torch.utils.data import DataLoader

    with at.device:
        model = _perceptron()
        model(torch.randn(64, 256))  # initializes the device before workers are forked
    loader = DataLoader(
        _Numbers(),
        batch_size=16,
        num_workers=2,
        multiprocessing_context="fork",
    )
    return [model(batch.to(at.device)) for _ in range(2) for batch in loader]


def _spawned(number: int, device: str, seed: int, results: Any) -> None:
    import torch

    torch.manual_seed(seed + number)
    torch.set_deterministic_debug_mode("error")
    with torch.device(device):
        results.put((number, _perceptron()(torch.randn(64, 256)).tolist()))


def _spawn(at: Place) -> object:
    import torch
    from torch import multiprocessing

    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    children = [
        context.Process(target=_spawned, args=(number, at.device.type, at.seed, results))
        for number in range(2)
    ]
    for child in children:
        child.start()
    found = dict(results.get(timeout=_JOIN_SECONDS) for _ in children)
    for child in children:
        child.join(_JOIN_SECONDS)
        if child.exitcode != 0:
            raise RuntimeError(f"a spawned process ended with {child.exitcode}")
    return [torch.tensor(found[number]) for number in sorted(found)]


def _priorities(at: Place) -> object:
    import torch

    import giveway

    with at.device:
        models, given = [_perceptron(), _perceptron()], torch.randn(2, 64, 256)
    results: dict[str, Any] = {}

    def work(number: int) -> None:
        name, priority = (_URGENT, _OTHER)[number]
        with giveway.task(priority=priority, name=name):
            output = given[number]
            for _ in range(50):
                output = torch.tanh(models[number](output))
            results[name] = output.detach().cpu()

    _in_threads(work)
    return dict(sorted(results.items()))


def _expect_both_tasks(seen: Seen) -> str | None:
    missing = {_URGENT, _OTHER} - set(seen.tasks)
    return f"giveway had no task {missing.pop()[0]!r}" if missing else None


def _profiler(at: Place) -> object:
    import torch
    from torch import profiler

    with at.device:
        model, given = _perceptron(), torch.randn(64, 256)
        with profiler.profile(activities=profiler.supported_activities()) as profile:
            output = model(given)
            output.sum().backward()
    averages = profile.key_averages()
    operators = sorted(each.key for each in averages if each.key.startswith("aten::"))
    if "aten::addmm" not in operators:
        raise RuntimeError("the profiler did not record the products")
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    # If the profiler may record kernels, both runs must have them.
    kernels = any(each.device_type != torch.autograd.DeviceType.CPU for each in averages)
    return {"output": output, "gradients": gradients, "operators": operators, "kernels": kernels}


_COMPILERS = {"cpu": ("g++", "clang++"), "cuda": ("gcc", "clang"), "hip": ("gcc", "clang")}


def _check(name: str, title: str, run: Callable[[Place], object], **options: Any) -> Check:
    return Check(name=name, phase="extra", title=title, run=run, **options)


CHECKS = (
    _check(
        "graphs",
        "CUDA graph capture and replay",
        _graphs,
        devices=_GPUS,
        expect=_expect_replays,
    ),
    _check(
        "compile",
        "torch.compile",
        _compile,
        programs=_COMPILERS,
        gpu_modules=("triton",),
        limit=240,
    ),
    _check(
        "triton",
        "Triton kernel",
        _triton,
        devices=_GPUS,
        programs=_COMPILERS,
        gpu_modules=("triton",),
        expect=_expect_kernel,
    ),
    _check(
        "streams",
        "side streams and events",
        _streams,
        devices=_GPUS,
        expect=_expect_streams,
    ),
    _check(
        "per-thread",
        "per-thread default stream",
        _per_thread,
        devices=_GPUS,
        expect=_expect_streams,
    ),
    _check("workers", "DataLoader workers (fork)", _workers),
    _check("spawn", "multiprocessing spawn", _spawn),
    _check(
        "priorities",
        "two threads at two priorities",
        _priorities,
        expect=_expect_both_tasks,
    ),
    _check("profiler", "profiler on", _profiler),
)
