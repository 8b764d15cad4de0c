"""``giveway serve``."""

from __future__ import annotations

import click


@click.command("serve")
@click.option(
    "-P",
    "--policy",
    metavar="P",
    default="priority",
    show_default=True,
    help="Who may run: see giveway policy --list.",
)
def command(policy: str) -> int:
    """Decide who may run, by a policy.

    Strict priority needs no daemon. This puts another policy in service for all of your programs,
    on all devices, until it ends; then priorities decide again. Programs may come and go meanwhile,
    and need not be started again.

    \b
    Examples:
      giveway serve --policy share
      giveway serve --policy edf,k=2
      giveway serve --policy mypackage.mymodule:MyPolicy
    """
    from giveway.daemon import supervisor
    from giveway.policies import registry

    registry.make(policy)  # so that a mistake is said at once
    return supervisor.run(policy)
