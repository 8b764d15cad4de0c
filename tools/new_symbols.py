"""Names the driver functions that CUDA's newest public header has and the symbol table lacks.

    new_symbols.py [--header FOLDER]

Without a header, pip downloads the newest package with one. Exit status 1: something is missing. A
driver that exports a function that the table lacks puts its users into interposition.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tools import generate_shim

TABLE = Path(__file__).parents[1] / "native" / "gpu" / "cuda" / "symbols.txt"
PACKAGE = "nvidia-cuda-runtime"
HEADERS = ("cuda.h", "cudaGL.h", "cudaEGL.h", "cudaVDPAU.h", "cudaProfiler.h")

DECLARED = re.compile(r"\bCUDAAPI\s+(cu\w+)\s*\(")
# The name of a function's newest version, behind the name that programs write.
RENAMED = re.compile(r"^\s*#\s*define\s+cu\w+\s+(cu\w+)\s*$", re.MULTILINE)
PER_THREAD = re.compile(r"\b__CUDA_API_PT(SZ|DS)\((cu\w+)\)")
VERSION = re.compile(r"^\s*#\s*define\s+CUDA_VERSION\s+(\d+)", re.MULTILINE)

NOT_EXPORTED = {
    "cuGetProcAddress_v2_ptsz": "an inline function of the header",
    "cuWGLGetDevice": "Windows only",
}


def functions(header: str) -> Iterator[str]:
    """The functions that a header declares, with all versions and variants that it names."""
    yield from DECLARED.findall(header)
    yield from RENAMED.findall(header)
    for variant, name in PER_THREAD.findall(header):
        yield name
        yield f"{name}_pt{variant.lower()}"


def missing(headers: Iterator[str], known: set[str]) -> list[str]:
    """The declared functions that are neither known nor without an export."""
    declared = {name for header in headers for name in functions(header)}
    return sorted(declared - known - NOT_EXPORTED.keys())


def download(folder: Path) -> None:
    """Puts the newest headers into a folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    # The newest one, whatever constraints say.
    environment = {**os.environ, "PIP_CONSTRAINT": ""}
    subprocess.run([*command, str(folder), PACKAGE], check=True, env=environment)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if Path(name).name in HEADERS:
                (folder / Path(name).name).write_bytes(archive.read(name))


def main(folder: Path) -> int:
    """Prints what is missing; returns the exit status."""
    headers = [(folder / name).read_text() for name in HEADERS if (folder / name).exists()]
    found = VERSION.search("\n".join(headers))
    if found is None:
        raise SystemExit(f"no CUDA header in {folder}")
    known = {symbol.name for symbol in generate_shim.read_symbols(TABLE)}
    names = missing(iter(headers), known)
    version = f"CUDA {int(found[1]) // 1000}.{int(found[1]) % 1000 // 10}"
    if not names:
        print(f"{version}: the table has every function")
        return 0
    print(f"{version} has functions that {TABLE.name} lacks:")
    print("\n".join(f"  {name}" for name in names))
    return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--header", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if given.header is None:
            download(Path(temporary))
        sys.exit(main(given.header or Path(temporary)))
