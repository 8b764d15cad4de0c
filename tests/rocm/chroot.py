"""Runs a program in the folder that its packages are unpacked in, as if that were the system.

For programs that know absolute paths, or that start others. Needs a kernel that lets users have
namespaces of their own.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.rocm.packages import Runtime
from tests.rocm.stand_in import SHIMS, Seen, seen, variables

UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


def run_inside(
    runtime: Runtime, hsa: Path, folder: Path, command: Sequence[str], more: Mapping[str, str]
) -> Seen:
    """Runs a program under the shim to its end; its paths are those inside."""
    root = runtime.root
    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no user namespaces here")
    for name in ("bin", "lib", "lib64"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    mounts = []
    binds = {Path("/dev"), Path("/proc"), SHIMS.parents[1], hsa, folder}
    for path in sorted(binds):
        at = root / path.relative_to("/")
        at.mkdir(parents=True, exist_ok=True)
        mounts.append(f"mount --rbind {shlex.quote(str(path))} {shlex.quote(str(at))}")
    (root / "tmp").mkdir(exist_ok=True)
    (folder / "trace").mkdir()
    inner = variables(runtime, hsa, folder, gated=True) | dict(more)
    inner["LD_LIBRARY_PATH"] = f"{hsa}:/usr/lib/x86_64-linux-gnu/blas"
    inner["PATH"] = "/usr/bin"
    # Set inside: they are not for the tools of this system.
    exports = "".join(f"export {name}={shlex.quote(value)}; " for name, value in inner.items())
    script = " && ".join([*mounts, 'root=$1; shift; exec chroot "$root" /bin/sh -c "$@"'])
    inside = [exports + 'exec "$@"', "sh", *command]
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", script, "sh", str(root), *inside],
        env=os.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if "version `GLIBC_" in done.stderr:
        pytest.skip("giveway was built with a newer C library than the runtime's")
    assert done.returncode == 0, done.stdout + done.stderr
    return seen(folder, done.stdout)
