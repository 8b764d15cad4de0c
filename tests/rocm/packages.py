"""AMD's HIP runtimes as Debian packages them, unpacked into a folder of their own.

The mirror is the one that this machine's apt is set up with; nothing is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SECONDS: Final = 300


class Release(NamedTuple):
    """One version of the runtime."""

    version: str
    """As symbols.txt has it."""
    suite: str
    packages: tuple[str, ...]
    """The runtime first, then what it does not start without."""


RELEASES: Final = (
    Release(
        "5.2.3",
        "bookworm",
        (
            "libamdhip64-5",
            "libhsa-runtime64-1",
            "libhsakmt1",
            "libdrm-amdgpu1",
            "libdrm2",
            "libelf1",
            "libnuma1",
        ),
    ),
    Release("5.7.1", "trixie", ("libamdhip64-5",)),
    Release("6.4.3", "sid", ("libamdhip64-6",)),
    Release("7.2.4", "experimental", ("libamdhip64-7",)),
)


class UnavailableError(Exception):
    """A release cannot be had here; says why."""


def fetch(release: Release, folder: Path) -> Path:
    """Unpacks a release below the folder, once; returns where its libraries are.

    Raises:
        UnavailableError: no apt, no Debian mirror, or the mirror has another version.
    """
    root = folder / release.version
    if not (root / "done").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        _download(release, root)
        packages = sorted(root.glob("*.deb"))
        if not any(f"_{release.version}" in package.name for package in packages):
            found = ", ".join(package.name for package in packages)
            raise UnavailableError(f"{release.suite} has another version: {found}")
        for package in packages:
            _run(["dpkg", "-x", str(package), str(root)], root)
        (root / "done").touch()
    return root / "usr/lib/x86_64-linux-gnu"


def _download(release: Release, root: Path) -> None:
    options = [
        f"Dir::Etc::sourcelist={_sources(release, root)}",
        "Dir::Etc::sourceparts=-",
        f"Dir::State={root}/state",
        f"Dir::Cache={root}/cache",
        # apt's own user cannot write to a folder of ours.
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
        # A mirror kept as it was on some day is past its date, and sid's often is.
        "Acquire::Check-Valid-Until=false",
        "Acquire::Retries=1",
    ]
    for part in ("state/lists/partial", "cache/archives/partial"):
        (root / part).mkdir(parents=True)
    apt = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    _run([*apt, "update"], root)
    _run([*apt, "download", *release.packages], root)


def _sources(release: Release, root: Path) -> Path:
    """A list of sources with that suite only, from the mirror that this machine uses."""
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
    sources.write_text(f"deb [signed-by={KEYRING}] {mirrors[0]} {release.suite} main\n")
    return sources


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(said[-1] if said else f"{command[0]}: {done.returncode}")
    return done.stdout
