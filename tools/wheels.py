"""Builds what a package index accepts: a wheel for each kind of machine, and the source.

    wheels.py [--out FOLDER] [MACHINE...]

Zig's C compiler builds for every machine and for a glibc of our choice, so the building machine and
its glibc do not matter. All times in the files are that of the commit: one commit, one content.
auditwheel then reads which symbol versions the libraries ask for, and has the last word.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import ziglang
from scikit_build_core import build

ROOT = Path(__file__).parents[1]
GLIBC = (2, 28)
MACHINES = ("x86_64", "aarch64")
ZIG = Path(ziglang.__file__).with_name("zig")
# In a copy without git: the first time that a zip file can hold.
WITHOUT_GIT = "315532800"


def commit_time() -> str:
    """When the commit was made, in seconds since 1970."""
    command = ["git", "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return WITHOUT_GIT
    return done.stdout.strip() or WITHOUT_GIT


def settings(machine: str) -> dict[str, str | list[str]]:
    """The settings of scikit-build-core for a machine."""
    defines = {
        "CMAKE_TOOLCHAIN_FILE": ROOT / "tools" / "zig.cmake",
        "GIVEWAY_ZIG": ZIG,
        "GIVEWAY_MACHINE": machine,
        "GIVEWAY_GLIBC": ".".join(map(str, GLIBC)),
    }
    return {
        "build-dir": f"build/wheel-{machine}",
        "wheel.tags": f"py3-none-{platform(machine)}",
        # The linker does that: the strip of this machine knows only its own files.
        "install.strip": "false",
        "cmake.args": ";".join(f"-D{name}={value}" for name, value in defines.items()),
    }


def platform(machine: str) -> str:
    """The platform in the name of a wheel."""
    return f"manylinux_{GLIBC[0]}_{GLIBC[1]}_{machine}"


def audit(wheel: Path) -> str:
    """The platform for which the wheel's libraries are fit, as auditwheel finds it.

    Raises:
        SystemExit: they are fit for fewer systems than the name says.
    """
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    shown = " ".join(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    )
    found = re.search(r'tag: "(manylinux_(\d+)_(\d+)_\w+)"', shown)
    if found is None or (int(found[2]), int(found[3])) > GLIBC:
        raise SystemExit(f"{wheel.name}: auditwheel does not agree: {shown}")
    return found[1]


def main(machines: list[str], out: Path) -> None:
    """Builds everything into a folder, and prints what is there."""
    os.chdir(ROOT)
    os.environ["SOURCE_DATE_EPOCH"] = commit_time()
    out.mkdir(parents=True, exist_ok=True)
    print(out / build.build_sdist(str(out)))
    for machine in machines:
        wheel = out / build.build_wheel(str(out), settings(machine))
        print(f"{wheel}: {audit(wheel)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("machines", nargs="*", default=MACHINES, metavar="MACHINE")
    given = parser.parse_args()
    main(given.machines, given.out.resolve())
