"""CUDA graphs of a step that repeats."""

from __future__ import annotations

from collections.abc import Callable

import torch


def captured(step: Callable[[], object]) -> Callable[[], object]:
    """Captures a step as a CUDA graph; returns the function that runs it.

    The step runs once before the capture and not during it. It must use the same memory each time.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()  # allocates what the capture needs
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replay: Callable[[], object] = graph.replay
    return replay
