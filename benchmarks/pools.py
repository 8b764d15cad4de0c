"""A program whose threads are not OpenMP's, so only a whole-process gate holds it.

    python pools.py openblas|onnxruntime SECONDS

Multiplies matrices without a pause on all cores, and prints a line of JSON: products per second.
``onnxruntime`` needs the packages ``onnxruntime`` and ``onnx``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy

SIZE = 256


def openblas() -> Callable[[], object]:
    matrix = numpy.random.default_rng(0).random((SIZE, SIZE), dtype=numpy.float32)
    return lambda: matrix @ matrix


def onnxruntime() -> Callable[[], object]:
    import onnxruntime as runtime
    from onnx import TensorProto, helper

    a, b = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [SIZE, SIZE]) for n in "ab")
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "a"], ["b"])], "product", [a], [b])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options: Any = runtime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    matrix = numpy.random.default_rng(0).random((SIZE, SIZE), dtype=numpy.float32)
    return lambda: session.run(None, {"a": matrix})


def main() -> None:
    multiply = {"openblas": openblas, "onnxruntime": onnxruntime}[sys.argv[1]]()
    multiply()
    count, began = 0, time.monotonic()
    while (took := time.monotonic() - began) < float(sys.argv[2]):
        multiply()
        count += 1
    print(json.dumps({"n": count, "per_s": round(count / took, 3)}))


if __name__ == "__main__":
    main()
