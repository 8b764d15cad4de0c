"""``giveway serve``."""

from __future__ import annotations

import click

from giveway.cli.parts.lines import echo_line


@click.command("serve")
@click.option(
    "-P",
    "--policy",
    metavar="P",
    default="priority",
    show_default=True,
    help="Policy to put in service; giveway policy --list shows all.",
)
@click.option(
    "--metrics",
    metavar="IP:PORT",
    help="Serve metrics for Prometheus there, as in 127.0.0.1:9400. Whoever can connect can read"
    " them. [default: no metrics]",
)
def command(policy: str, metrics: str | None) -> int:
    """Run the daemon, which decides by a policy.

    Strict priority needs no daemon. The daemon puts another policy in service for all of your
    programs on all devices. When the daemon ends, priorities decide again. Programs may start and
    end meanwhile, and need no restart.

    \b
    Examples:
      giveway serve --policy share
      giveway serve --policy edf,k=2
      giveway serve --policy mypackage.mymodule:MyPolicy
    """
    from giveway.daemon import client, focus, supervisor
    from giveway.sched.policies import registry

    registry.make(policy)  # reports a mistake at once
    client.refuse_second()
    if metrics is not None:
        from giveway.daemon import exporter

        host, port = exporter.parse_address(metrics)
        url = exporter.start(host, port)
        if exporter.is_public(host):
            echo_line(
                "giveway: whoever can connect to this port can read the metrics, which name "
                "programs, users and pods",
                err=True,
            )
        echo_line(f"metrics: {url}")
    problem = focus.missing()
    if problem is not None:
        if policy == "window":
            echo_line(
                f"giveway: cannot read which window has the focus: {problem}; "
                "use giveway set PID focused=yes",
                err=True,
            )
        return supervisor.run(policy)
    watcher = focus.Watcher()
    try:
        return supervisor.run(policy)
    finally:
        watcher.stop()
