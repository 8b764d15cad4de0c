"""Which functions of a CUDA header the symbol table lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import generate_shim, new_symbols

HEADER = """
#define CUDA_VERSION 13050
#define cuMemAlloc cuMemAlloc_v2
#define cuMemcpyNew __CUDA_API_PTSZ(cuMemcpyNew_v3)
#define cuMemcpyWait __CUDA_API_PTDS(cuMemcpyWait)
CUresult CUDAAPI cuInit(unsigned int Flags);
CUresult CUDAAPI cuSomethingNew (void);
    CUresult CUDAAPI cuWGLGetDevice(CUdevice *pDevice, HGPUNV hGpu);
"""


def test_every_version_and_variant_is_found() -> None:
    assert new_symbols.missing(iter([HEADER]), {"cuInit"}) == [
        "cuMemAlloc_v2",
        *("cuMemcpyNew_v3", "cuMemcpyNew_v3_ptsz"),
        *("cuMemcpyWait", "cuMemcpyWait_ptds"),
        "cuSomethingNew",
    ]


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cuda.h").write_text(HEADER)
    assert new_symbols.main(tmp_path) == 1
    said = capsys.readouterr().out
    assert said.startswith("CUDA 13.5 has functions that symbols.txt lacks:")
    assert "cuSomethingNew" in said
    assert "cuInit" not in said


def test_nothing_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cuda.h").write_text("#define CUDA_VERSION 13000\nCUresult CUDAAPI cuInit(int);\n")
    assert new_symbols.main(tmp_path) == 0
    assert "the table has every function" in capsys.readouterr().out


def test_a_folder_without_a_header_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no CUDA header"):
        new_symbols.main(tmp_path)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_machine_has_a_jump_for_each_function(machine: str) -> None:
    symbols = [generate_shim.Symbol(name, "-", 0) for name in ("cuA", "cuB")]
    source = generate_shim.forward_source(symbols, [], {"cuB"}, machine)
    assert "cuA:" not in source
    assert "gw_slots+8" in source.split("cuB:")[1].split(".size")[0]
    assert source.count("gw_first_call") == 2
