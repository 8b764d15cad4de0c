"""``giveway policy``."""

from __future__ import annotations

import click


@click.command("policy")
@click.argument("name", required=False)
@click.option("-l", "--list", "list_all", is_flag=True, help="List the policies there are.")
def command(name: str | None, list_all: bool) -> None:
    """Show the policy in service, or put another one in service.

    Tasks keep their attributes, and what they have used so far. NAME may have settings.

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
            click.echo(f"{each:{width}}  {registry.describe(each)}")
        return
    with Client() as daemon:
        click.echo(daemon.policy(name))
