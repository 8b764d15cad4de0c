"""``giveway metrics``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("metrics")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write FILE at once as a whole, readable for all users. [default: standard output]",
)
def command(output: Path | None) -> None:
    """Print the metrics once, as text for Prometheus.

    Needs giveway[metrics], and no daemon. While giveway serve runs, its metrics are there too. To
    scrape a running daemon, use giveway serve --metrics.

    \b
    Examples:
      giveway metrics
      # For node_exporter, from a timer:
      giveway metrics --output /var/lib/node_exporter/giveway.prom
    """
    from giveway.daemon import exporter

    text = exporter.text()
    if output is None:
        click.echo(text, nl=False)
    else:
        exporter.replace_file(output, text)
