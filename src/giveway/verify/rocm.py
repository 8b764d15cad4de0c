"""Whether the HIP shims would take the place of the ROCm libraries that are found here."""

from __future__ import annotations

from collections.abc import Mapping

from giveway.verify.check import Finding


def versions(_plain: Mapping[str, str], _gated: Mapping[str, str]) -> Finding:
    return Finding(facts={"rocm": "no ROCm library here"})
