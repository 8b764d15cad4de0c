"""Runs parts of the bench that need torch in one process, and prints their results.

Usage: models_program.py FOLDER; FOLDER gets the tensors of `tensors`. Prints a line of JSON: by
section, its result or the traceback of what it raised.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from giveway.scenarios.catalog import SEGMENTERS

VISION = ("resnet18", "vit_b_16", "googlenet", *SEGMENTERS)
SMALL = {
    "gpt2": {"batch": 2, "prompt": 5, "tokens": 3, "layers": 2, "width": 128},
    "bert": {"batch": 2, "sequence": 6, "layers": 1, "width": 64},
    "whisper": {"batch": 1, "frames": 20, "tokens": 4, "layers": 1, "width": 64},
    "llama": {
        "batch": 2,
        "prompt": 5,
        "tokens": 3,
        "layers": 2,
        "width": 512,
        "vocabulary": 50,
    },
    "llama_lora": {
        "batch": 2,
        "prompt": 5,
        "layers": 1,
        "width": 128,
        "vocabulary": 50,
        "rank": 2,
    },
}
SMALL["llama_eager"] = SMALL["llama"]
PHASES = {"image": 32, "light_batch": 1, "light_count": 3, "heavy_batch": 4, "heavy_count": 2}
BULK = {"matmul": {"side": 16, "count": 2}, "copy": {"megabytes": 1, "count": 2}}
TRAINED_VISION = {"batch": 2, "image": 32}
STAND_IN = """
import torch
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        raise RuntimeError(f"operator torchvision::{name} does not exist")
    torch.library.register_fake(f"torchvision::{name}")(lambda dets, scores, iou: dets)
"""


def infers(name: str, size: dict[str, int]) -> tuple[list[int], bool]:
    """The shape of the output, and whether a second instance of the model computes the same."""
    from giveway.models import build

    first = build.work(name, "infer", size, "cpu")()
    again = build.work(name, "infer", size, "cpu")()
    return list(first.shape), bool((first == again).all())


def trains(name: str, size: dict[str, int]) -> tuple[float, bool]:
    """The loss, and whether a second one made of the model has the same."""
    from giveway.models import build

    loss = build.work(name, "train", size, "cpu")()
    return loss, loss == build.work(name, "train", size, "cpu")()


def decodes() -> list[tuple[int, int]]:
    """The output of a decoder with its cache, and without a cache from the start of each token."""
    from giveway.models.transformers import Decoder

    torch.manual_seed(1)
    decoder = Decoder(50, 2, 128).eval()
    tokens = torch.randint(50, (1, 4))
    with torch.inference_mode():
        said = decoder.decode(tokens, 5)
        anew = [decoder.decode(torch.cat([tokens, said[:, :at]], 1), 1) for at in range(5)]
    return [(int(said[0, at]), int(each[0, 0])) for at, each in enumerate(anew)]


def decodes_llama() -> dict[str, Any]:
    """Two answers of one model, and the same tokens one by one, each from the whole text."""
    from giveway.models.llama import Llama

    torch.manual_seed(1)
    model = Llama(50, 2, 512, 5).eval()
    prompts = torch.randint(50, (2, 2, 4))
    answers = []
    with torch.inference_mode():
        for prompt in prompts:
            said, text = model(prompt), prompt
            for _ in range(5):
                every = torch.arange(text.shape[1])
                last = model.logits(text, every, None)[:, -1:].argmax(-1)
                text = torch.cat([text, last], 1)
            answers.append([said.tolist(), text[:, 4:].tolist()])
    return {"answers": answers, "differ": answers[0][0] != answers[1][0]}


def steps_of_llama() -> list[float]:
    """The largest difference between logits token by token, with caches, and of the whole text at
    once; and how far the logits of two positions differ."""
    from giveway.models.llama import Llama

    torch.manual_seed(2)
    model, text, every = Llama(50, 2, 512, 1).eval(), torch.randint(50, (2, 9)), torch.arange(9)
    caches = torch.zeros(2, 2, 2, 2, 9, 64)
    with torch.inference_mode():
        whole = model.logits(text, every, None)
        pieces = [model.logits(text[:, :4], every[:4], caches)]
        pieces += [model.logits(text[:, [at]], every[[at]], caches) for at in range(4, 9)]
    apart = (torch.cat(pieces, 1) - whole).abs().max()
    return [float(apart), float((whole[:, 4:] - whole[:, 3:-1]).abs().max())]


def serves_llama() -> dict[str, Any]:
    """The answers of two requests that are served together, the second of which comes later, and
    of each of them alone; and those of a request in a slot that was used before."""
    from giveway.models import build

    size = {"slots": 2, "layers": 2, "width": 512, "vocabulary": 50, "length": 12}
    engine = build.engine("llama_server", size, "cpu")
    first = [engine.prefill(0, 5)]
    first += [engine.step()[0] for _ in range(2)]
    second = [engine.prefill(1, 7)]
    for _ in range(4):
        step = engine.step()
        first.append(step[0])
        second.append(step[1])
    alone = []
    for slot, prompt, count in ((1, 5, 7), (0, 7, 5)):
        said = [engine.prefill(slot, prompt)]
        said += [engine.step()[slot] for _ in range(count - 1)]
        alone.append(said)
    return {"together": [first, second], "alone": alone}


def trains_lora() -> dict[str, Any]:
    """Which weights a step of LoRA changes, and the loss before and after some steps."""
    from giveway.models import build, lora

    size = {**SMALL["llama_lora"], "rank": 4}
    torch.manual_seed(20)
    model, inputs = lora.build(size)
    step = build._training(model, inputs)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    losses = [step() for _ in range(200)]
    after = model.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    return {"changed": changed, "fell": losses[-1] < losses[0]}


def phases() -> dict[str, Any]:
    """The sizes of the batches that a request with two phases computes, and of its answer."""
    from giveway.models import build

    real, batches = build._vision, []

    def watched(name: str, image: int) -> torch.nn.Module:
        model = real(name, image)
        model.register_forward_hook(lambda _, inputs, __: batches.append(len(inputs[0])))
        return model

    build._vision = watched
    try:
        answer = build.work("resnet50_phases", "infer", PHASES, "cpu")()
    finally:
        build._vision = real
    return {"batches": batches, "answer": list(answer.shape)}


def profiles() -> list[list[float]] | None:
    """The kernels in a trace of torch's profiler; None for a trace that cannot be read."""
    import torch.profiler as profiler

    from giveway.bench.kernels import Kernels

    real = profiler.profile
    on_a_cpu = functools.partial(real, activities=[profiler.ProfilerActivity.CPU])
    profiler.profile = lambda activities: on_a_cpu()  # type: ignore[assignment, misc]
    try:
        return Kernels().stop(time.monotonic())
    finally:
        profiler.profile = real  # type: ignore[misc]


def tensors(folder: Path) -> dict[str, list[float]]:
    """Writes tensors of several types; their values."""
    from giveway.verify import values

    half = torch.tensor([1.0, -0.1, float("inf")])
    given = {
        **{str(dtype): half.to(dtype) for dtype in (torch.bfloat16, torch.float16)},
        "int64": torch.arange(3),
        "strided": torch.arange(12.0).reshape(3, 4).t(),
        "with gradient": torch.ones(2, requires_grad=True),
    }
    values.write(folder, given)
    return {name: tensor.tolist() for name, tensor in given.items()}


def torchvision_lacks_its_operators(folder: Path) -> bool:
    """Whether the stand-in can be imported; in a process of its own, which lacks them still."""
    from giveway.models.torchvision_fix import import_torchvision

    (folder / "torchvision.py").write_text(STAND_IN)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sys.path.insert(0, str(folder))
            status = 0 if import_torchvision().__file__ == f"{folder}/torchvision.py" else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def main(folder: Path) -> None:
    from giveway.models import build

    torch.set_num_threads(1)
    sections: dict[str, Any] = {
        # First, for it forks, and needs a process that has not imported torchvision.
        "fix": lambda: torchvision_lacks_its_operators(folder),
        **{name: lambda name=name: infers(name, {"batch": 1, "image": 64}) for name in VISION},
        **{
            name: lambda name=name: infers(name, SMALL[name])
            for name in SMALL
            if name != "llama_lora"
        },
        **{name: lambda name=name: build.work(name, "infer", BULK[name], "cpu")() for name in BULK},
        "phases": phases,
        "serve llama": serves_llama,
        "train lora": trains_lora,
        "train bert": lambda: trains("bert", SMALL["bert"]),
        "train gpt2": lambda: trains("gpt2", SMALL["gpt2"]),
        "train whisper": lambda: trains("whisper", SMALL["whisper"]),
        "train llama": lambda: trains("llama", SMALL["llama"]),
        "decode llama": decodes_llama,
        "steps of llama": steps_of_llama,
        "train resnet18": lambda: trains("resnet18", TRAINED_VISION),
        "decode": decodes,
        "profile": profiles,
        "tensors": lambda: tensors(folder / "tensors"),
    }
    results = {}
    for name, section in sections.items():
        try:
            results[name] = section()
        except Exception:
            results[name] = traceback.format_exc()
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
