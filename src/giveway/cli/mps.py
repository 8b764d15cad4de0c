"""``giveway mps``."""

from __future__ import annotations

import json
import os

import click

from giveway.cli.parts.help import Group
from giveway.cli.parts.lines import echo_line
from giveway.errors import GivewayError


@click.group("mps", cls=Group)
def command() -> None:
    """NVIDIA's multi-process service (MPS) under giveway.

    With MPS, kernels of several programs run at the same time, and a GPU does not change between
    programs in turns. Gates decide as without it. Programs share the fate of one that fails with a
    fault, and belong to one user: docs/guides/mps.md says what MPS costs.

    \b
    Examples:
      giveway mps start
      giveway run --priority 10 -- python serve.py
      giveway mps status
      giveway mps stop
    """


@command.command("start")
def start() -> None:
    """Start the control daemon, for programs that start later.

    'giveway run' then makes programs on NVIDIA GPUs clients of MPS. Programs that run already are
    not changed.
    """
    from giveway.devices import mps

    daemon = mps.start()
    echo_line(f"MPS runs in {daemon.folder}")


@command.command("stop")
@click.option("--force", is_flag=True, help="Also if programs use it: they fail.")
def stop(force: bool) -> None:
    """Stop the control daemon that 'giveway mps start' has started."""
    from giveway.devices import mps

    mps.check_installed()
    daemon = mps.ask(mps.own_folder())
    if daemon is None and (other := mps.find(os.environ)) is not None:
        raise GivewayError(
            f"MPS in {other.folder} was not started by giveway: end it with its own command"
            f" ({mps.PIPES}={other.folder} {mps.CONTROL})"
        )
    if daemon is None:
        echo_line("MPS does not run")
        return
    clients = daemon.clients()
    if clients and not force:
        pids = ", ".join(map(str, clients))
        raise GivewayError(f"programs use MPS (processes {pids}): end them, or say --force")
    if mps.command(daemon.folder, "quit -t 1" if force else "quit") is None:
        raise GivewayError(f"MPS in {daemon.folder} does not stop")
    echo_line("MPS is stopped")


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def status(as_json: bool) -> int:
    """Show the control daemon that 'giveway run' uses; exit code 1: none runs."""
    from giveway.devices import mps

    daemon = mps.find(os.environ)
    if as_json:
        found = None
        if daemon is not None:
            found = {
                "folder": str(daemon.folder),
                "user": daemon.user,
                "pid": daemon.pid,
                "settings": daemon.settings(),
                "clients": daemon.clients(),
            }
        click.echo(json.dumps({"schema": 1, "running": daemon is not None, "mps": found}, indent=2))
    elif daemon is None:
        echo_line("MPS does not run")
    else:
        pid = "" if daemon.pid is None else f", process {daemon.pid}"
        echo_line(f"MPS runs in {daemon.folder} (user {daemon.user}{pid})")
        echo_line(f"settings  {mps.in_words(daemon.settings())}")
        echo_line(f"clients   {' '.join(map(str, daemon.clients())) or 'none'}")
    return 0 if daemon is not None else 1
