"""AMD's HIP runtimes and libraries as Debian packages them, and Triton, in a folder of their own.

The mirror is the one that this machine's apt is set up with; nothing is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SECONDS: Final = 900
TARGET: Final = "gfx90a"
"""The GPU that tests simulate."""
TRITON: Final = "triton==3.9.0"


OF_THE_MACHINE: Final = (
    *("Could not resolve", "Could not connect", "Temporary failure", "Connection"),
    *("Network is unreachable", "timed out", "No matching distribution", "No space left"),
    *("Unable to locate package", "Unable to fetch", "Failed to fetch", "has no installation"),
    *("is not available", "404  Not Found", "403  Forbidden"),
)
"""What pip and apt say where a mirror cannot be reached, or does not have a package."""


class Release(NamedTuple):
    """One version of the runtime."""

    version: str
    """The version as in symbols.txt."""
    package: str
    suites: tuple[str, ...]
    further: tuple[str, ...] = ()
    """Packages beside the runtime's own."""
    name: str = ""
    """Of its folder, where that is not the version."""

    @property
    def generation(self) -> str:
        """The number in the SONAME."""
        return self.version[0]


class Runtime(NamedTuple):
    """A runtime and all that it needs, the C library and its loader included."""

    root: Path
    library: Path
    loader: Path
    folders: tuple[Path, ...]


RELEASES: Final = (
    Release("5.2.3", "libamdhip64-5", ("bookworm",)),
    Release("5.7.1", "libamdhip64-5", ("trixie",), ("libhsa-runtime-dev",)),
    Release("6.4.3", "libamdhip64-6", ("sid",), ("libhsa-runtime-dev", "libhiprtc-builtins6")),
    Release("7.2.4", "libamdhip64-7", ("sid", "experimental"), ("libhsa-runtime-dev",)),
)
LIBRARIES: Final = Release(
    "6.4.3",
    "libamdhip64-6",
    ("sid",),
    (
        *("libhsa-runtime-dev", "libhipblaslt1-bench", "librocblas4-bench", "libmiopen1-tests"),
        # MIOpen compiles its kernels with the system's clang, by way of a shell.
        *("libamdhip64-dev", "rocm-device-libs-21", "clang-21", "clang-tools-21", "lld-21"),
        *("llvm-21", "dash"),
    ),
    "6.4.3-libraries",
)


class UnavailableError(Exception):
    """A release is not available here; the message has the reason."""


def fetch(release: Release, folder: Path) -> Runtime:
    """Unpacks a release below the folder, once.

    Raises:
        UnavailableError: no apt, no Debian mirror, or the mirror has another version.
    """
    packages = (release.package, *release.further)
    root = folder / (release.name or release.version)
    done = root / "done"
    if not done.exists() or done.read_text().split() != list(packages):
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        _download(release, packages, root)
        archives = sorted(root.glob("archives/*.deb"))
        found = [path.name for path in archives if path.name.startswith(release.package)]
        if not any(f"_{release.version}" in name for name in found):
            raise UnavailableError(f"{release.suites[-1]} has {', '.join(found)}")
        for archive in archives:
            _run(["dpkg", "-x", str(archive), str(root)], root)
            archive.unlink()
        for path in root.glob("usr/lib/*/*/**/*gfx*"):
            if path.is_file() and TARGET not in path.name:  # gigabytes that nobody asks for
                path.unlink()
        done.write_text(" ".join(packages))
    folders = (root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu")
    return Runtime(
        root=root,
        library=folders[0] / f"libamdhip64.so.{release.generation}",
        loader=next(found for at in folders for found in at.glob("ld-linux-x86-64.so.2")),
        folders=folders,
    )


def fetch_triton(folder: Path) -> Path:
    """Where Triton is, below the folder, for the interpreter that this is.

    Raises:
        UnavailableError: pip cannot get it.
    """
    target = folder / f"{TRITON}-{sys.implementation.cache_tag}"
    if not (target / "done").exists():
        shutil.rmtree(target, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", TRITON]
        _run([*pip, "--target", str(target)], folder)
        (target / "done").touch()
    return target


def _download(release: Release, packages: tuple[str, ...], root: Path) -> None:
    for part in ("lists/partial", "archives/partial"):
        (root / part).mkdir(parents=True)
    (root / "status").touch()
    options = [
        f"Dir::Etc::sourcelist={_sources(release, root)}",
        "Dir::Etc::sourceparts=-",
        f"Dir::State={root}",
        # Nothing is installed there, so everything is fetched that the runtime needs.
        f"Dir::State::status={root}/status",
        f"Dir::Cache={root}",
        # Machines that build images throw away what they have fetched.
        "APT::Keep-Downloaded-Packages=true",
        "Debug::NoLocking=true",
        # apt's own user cannot write to a folder of ours.
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
        # A mirror kept as it was on some day is past its date, and sid's often is.
        "Acquire::Check-Valid-Until=false",
        "Acquire::Retries=1",
    ]
    apt = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    _run([*apt, "update"], root)
    install = [*apt, "install", "--yes", "--no-install-recommends", "--download-only"]
    _run([*install, "--target-release", release.suites[-1], *packages], root)


def _sources(release: Release, root: Path) -> Path:
    """A list of sources with those suites only, from the mirror that this machine uses."""
    if not KEYRING.exists():
        raise UnavailableError("no Debian keyring: this machine is no Debian")
    listed = _run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(REPO_URI)"], root
    )
    fields = (line.split() for line in listed.splitlines())
    mirrors = [
        uri
        for origin, component, uri in (row for row in fields if len(row) == 3)
        if (origin, component) == ("Debian", "main") and "security" not in uri
    ]
    if not mirrors:
        raise UnavailableError("apt has no Debian mirror here, or has never been updated")
    sources = root / "sources.list"
    lines = (f"deb [signed-by={KEYRING}] {mirrors[0]} {suite} main\n" for suite in release.suites)
    sources.write_text("".join(lines))
    return sources


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            # make names a file of pip's by its path from the checkout.
            env={key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        why = said.splitlines()[-1] if said else f"{command[0]}: {done.returncode}"
        # Anything else is a mistake of these tests, and must not look like one of the machine.
        kind = UnavailableError if any(words in said for words in OF_THE_MACHINE) else RuntimeError
        raise kind(why)
    return done.stdout
