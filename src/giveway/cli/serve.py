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
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    help="Answer Prometheus there, as in 127.0.0.1:9400. [default: not at all]",
)
def command(policy: str, metrics: str | None) -> int:
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
    from giveway.daemon import client, focus, supervisor
    from giveway.sched.policies import registry

    registry.make(policy)  # so that a mistake is said at once
    client.refuse_second()
    if metrics is not None:
        from giveway.daemon import metrics as exporter

        host, port = exporter.parse_address(metrics)
        port = exporter.start(host, port)
        click.echo(f"metrics: http://{host}:{port}/metrics")
    problem = focus.missing()
    if problem is not None:
        if policy == "window":
            click.echo(
                f"giveway: nobody sees which window has the focus: {problem}; "
                "giveway set PID focused=yes says it",
                err=True,
            )
        return supervisor.run(policy)
    watcher = focus.Watcher()
    try:
        return supervisor.run(policy)
    finally:
        watcher.stop()
