"""The ELF reader finds what readelf finds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from giveway.devices import elf
from giveway.devices.drivers import CUDA, HIP
from giveway.page.library import library_path

pytestmark = pytest.mark.skipif(
    shutil.which("readelf") is None, reason="no readelf to compare with"
)

LIBC = Path("/lib/x86_64-linux-gnu/libc.so.6")
LIBRARIES = [CUDA.shim("1"), CUDA.hooks("1"), HIP.shim("6"), HIP.hooks("6"), library_path(), LIBC]
KINDS = {"FUNC": "function", "IFUNC": "function", "NOTYPE": "function", "OBJECT": "data"}


def said_by_readelf(path: Path) -> dict[tuple[str, str], elf.Export]:
    said = subprocess.run(
        ["readelf", "--dyn-syms", "--wide", str(path)], capture_output=True, text=True, check=True
    )
    found = {}
    for fields in (line.split() for line in said.stdout.splitlines()):
        if len(fields) == 8 and fields[6].isdigit() and fields[4] in ("GLOBAL", "WEAK", "UNIQUE"):
            name, _, node = fields[7].partition("@")
            kind = KINDS.get(fields[3], fields[3])
            found[name, node.strip("@")] = elf.Export(kind, int(fields[2], 0))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: path.name)
def test_exports_are_those_that_readelf_lists(path: Path) -> None:
    if path == LIBC and not path.exists():
        pytest.skip(f"this system has its C library elsewhere: no {path}")
    exports = elf.read(path).exports
    assert len(exports) > 10
    assert exports == said_by_readelf(path)


def test_symbols_are_those_that_readelf_finds() -> None:
    path = Path(subprocess.check_output(["cc", "-print-file-name=libm.so.6"], text=True).strip())
    command = ["readelf", "--dyn-syms", "--wide", str(path)]
    exports, needs = set(), set()
    for line in subprocess.check_output(command, text=True).splitlines():
        fields = line.split()
        if len(fields) < 8 or "@" not in fields[7] or fields[6] == "ABS":
            continue
        name, _, node = fields[7].partition("@")
        (needs if fields[6] == "UND" else exports).add((name, node.strip("@")))
    library = elf.read(path)
    assert len(exports) > 100
    assert {symbol for symbol in library.exports if symbol[1]} == exports
    assert set().union(*library.wants.values()) == needs
