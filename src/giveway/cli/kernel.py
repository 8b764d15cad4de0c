"""``giveway kernel``."""

from __future__ import annotations

from pathlib import Path

import click

from giveway.cli.parts import files, options
from giveway.cli.parts.help import Group
from giveway.cli.parts.lines import echo_line


@click.group("kernel", cls=Group)
def command() -> None:
    """Jupyter kernels whose notebooks share a device."""


@command.command("install")
@options.priority
@click.option("-n", "--name", default="giveway", show_default=True, help="Name of the kernel.")
@click.option("--display-name", metavar="TEXT", help="What Jupyter shows. [default: from the rest]")
@options.device("Device to share. [default: that of the machine where the kernel starts]")
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, executable=True, path_type=Path),
    metavar="PATH",
    help="Python of the notebooks, with ipykernel. [default: the one that runs giveway]",
)
@click.option(
    "--sys-prefix", is_flag=True, help="Install for this Python environment, not for this user."
)
def install(
    priority: int | None,
    name: str,
    display_name: str | None,
    device: str | None,
    python: Path | None,
    sys_prefix: bool,
) -> None:
    """Install a kernel for Jupyter, which VS Code finds as well.

    Its notebooks run under 'giveway run'. Several kernels with different priorities may be
    installed under different names. Without --priority, the configuration of the machine where the
    kernel starts decides (giveway config). 'jupyter kernelspec uninstall NAME' removes one.

    \b
    Examples:
      giveway kernel install --priority -10 --name low
      giveway kernel install --priority 10 --name urgent --python .venv/bin/python
    """
    import re
    import sys

    from giveway.errors import GivewayError, UsageError

    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise UsageError(f"name {name!r} is not letters, digits, '.', '_' and '-'")
    # Not resolved: the name of an environment's Python is a link to the system's.
    interpreter = Path.cwd() / (python or sys.executable)
    run = [_giveway(), "run"]
    run += [] if priority is None else ["--priority", str(priority)]
    run += ["--device", device] if device else []
    words = "" if priority is None else f", priority {priority}"
    kernel = {
        "argv": [
            *(*run, "--name", f"notebook {name}", "--"),
            *(str(interpreter), "-m", "ipykernel_launcher", "-f", "{connection_file}"),
        ],
        "display_name": display_name or f"Python (giveway{words})",
        "language": "python",
        "metadata": {"debugger": True},
    }
    folder = (Path(sys.prefix, "share", "jupyter") if sys_prefix else _of_user()) / "kernels" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GivewayError(f"cannot make {folder}: {error.strerror}") from error
    files.write_json(str(folder / "kernel.json"), kernel)
    echo_line(str(folder / "kernel.json"))


def _giveway() -> str:
    """The command by its path: a notebook server may have another PATH."""
    import shutil
    import sys

    beside = Path(sys.executable).with_name("giveway")
    return str(beside) if beside.exists() else shutil.which("giveway") or "giveway"


def _of_user() -> Path:
    """Where Jupyter looks for what a user has installed."""
    import os

    if given := os.environ.get("JUPYTER_DATA_DIR"):
        return Path(given)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share", "jupyter")
