"""The HIP shims and AMD's own runtimes: what they export, and that programs see no difference.

There is no AMD GPU in this: `make test-rocm` says what the runtime answers without one.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.rocm.packages import RELEASES, Release, Runtime
from tests.rocm.stand_in import FOLDER, ROOT, SHIMS, need

SYMBOLS = ROOT / "native/gpu/hip/symbols.txt"

pytestmark = pytest.mark.skipif(not FOLDER, reason="downloads AMD's runtimes: say make test-rocm")

Export = tuple[str, str, str]


@pytest.fixture(params=RELEASES, ids=lambda release: release.version)
def release(request: pytest.FixtureRequest) -> Release:
    """Each of the releases."""
    return request.param  # type: ignore[no-any-return]


def exports(library: Path) -> set[Export]:
    """(name, version node, type) of every symbol that a library defines for others."""
    said = subprocess.run(
        ["readelf", "--dyn-syms", "--wide", str(library)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = set()
    for fields in (line.split() for line in said.stdout.splitlines()):
        if len(fields) == 8 and fields[6].isdigit() and fields[4] in ("GLOBAL", "WEAK", "UNIQUE"):
            name, _, node = fields[7].partition("@")
            if node.strip("@"):
                found.add((name, node.strip("@"), fields[3]))
    return found


def listed(*versions: str) -> set[Export]:
    """What the symbol list has for any of these releases."""
    rows = (line.split() for line in SYMBOLS.read_text().splitlines() if line[0] != "#")
    return {(row[0], row[1], "FUNC") for row in rows if set(versions) & set(row[2:])}


def test_exports_are_those_of_the_real_library(release: Release) -> None:
    real = exports(need(release).library)
    assert len(real) > 400
    assert listed(release.version) == real
    shim = exports(SHIMS / f"libamdhip64.so.{release.version[0]}")
    others = {"5": ("5.2.3", "5.4.2", "5.7.1"), "6": ("6.4.3",), "7": ("7.2.4",)}
    assert real <= shim
    assert shim == listed(*others[release.version[0]])


def run(real: Runtime, program: Path, **variables: str) -> tuple[list[str], list[str]]:
    """The program's stdout and stderr with these environment variables."""
    env = os.environ | variables
    env["LD_LIBRARY_PATH"] = ":".join(map(str, real.folders))
    # 5.2.3 asks for an executable stack, which newer C libraries refuse unless they are told.
    env["GLIBC_TUNABLES"] = "glibc.rtld.execstack=2"
    done = subprocess.run(
        [str(real.loader), str(program)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "version `GLIBC_" in done.stderr:
        pytest.skip("giveway was built with a newer C library than the runtime's")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr.splitlines()


@pytest.mark.parametrize("generation", ["5", "6", "7"])
def test_programs_see_the_runtimes_own_answers(
    release: Release, generation: str, tmp_path: Path
) -> None:
    """Also under the shim of another generation: then the program's own runtime is there too."""
    real = need(release)
    shim = SHIMS / f"libamdhip64.so.{generation}"
    program = tmp_path / "codes"
    source = ROOT / "native/programs/hip_codes.c"
    libraries = [f"-L{real.folders[0]}", f"-l:{real.library.name}", "-Wl,--allow-shlib-undefined"]
    subprocess.run(["cc", "-o", str(program), str(source), *libraries], check=True)

    plain, loaded = run(real, program)
    assert [Path(path).resolve() for path in loaded] == [real.library.resolve()]
    assert any(line.startswith("hipGetDeviceCount(&n) = 100,") for line in plain)

    # One runtime: the shim's file, the real one's, and no warning.
    under = {"LD_PRELOAD": str(shim), "GIVEWAY_DIR": str(tmp_path / "pages")}
    gated, loaded = run(real, program, **under)
    assert gated == plain
    assert sorted(Path(path).resolve() for path in loaded) == sorted([shim, real.library.resolve()])

    run(real, program, **under, LD_DEBUG="bindings", LD_DEBUG_OUTPUT=str(tmp_path / "log"))
    text = "".join(path.read_text(errors="replace") for path in tmp_path.glob("log.*"))
    bound = re.findall(
        rf"binding file {re.escape(str(program))} \[0\] to (\S+) \[0\]: normal symbol"
        r" `(\w+)' \[(hip_[\d.]+)\]",
        text,
    )
    assert len(bound) > 30
    assert {file for file, _, _ in bound} == {str(shim)}
