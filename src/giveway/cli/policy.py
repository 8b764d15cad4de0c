"""``giveway policy``."""

from __future__ import annotations

import click

from giveway.cli.parts.lines import echo_line


@click.command("policy")
@click.argument("name", required=False)
@click.option("-l", "--list", "list_all", is_flag=True, help="List all policies.")
def command(name: str | None, list_all: bool) -> None:
    """Show or change the policy in service.

    Tasks keep their attributes, and the device time that they have used still counts. NAME may have
    parameters.

    \b
    Examples:
      giveway policy --list
      giveway policy fair
      giveway policy rr,slice=2ms
    """
    from giveway.daemon.client import Client
    from giveway.sched.policies import registry

    if list_all:
        names = registry.names()
        width = max(map(len, names))
        for each in names:
            echo_line(f"{each:{width}}  {registry.describe(each)}")
        return
    with Client() as daemon:
        echo_line(daemon.policy(name))
