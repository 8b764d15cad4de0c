"""``giveway submit``."""

from __future__ import annotations

import logging
import signal
import warnings
from types import FrameType

import click

from giveway.cli.parts import options
from giveway.cli.parts.lines import echo_line


@click.command(
    "submit",
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS] --",
)
@click.option(
    "-a",
    "--address",
    metavar="A",
    help="Cluster, as in http://HEAD:8265. [default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS,"
    " or the cluster of this machine]",
)
@click.option(
    "-p",
    "--priority",
    metavar="N",
    type=options.PRIORITY,
    default=0,
    show_default=True,
    help="-1000 to 1000, bigger is more urgent. Above 0, the job takes the one urgent place of its"
    " device.",
)
@click.option("-n", "--name", metavar="S", help="Name of the task. [default: derived from CMD]")
@options.memory
@options.reserve
@options.parkable
@options.attributes
@click.option(
    "-d",
    "--device",
    metavar="D",
    type=click.Choice(["cuda", "hip", "cpu"]),
    help="Device to share. [default: a GPU where the cluster has one, else cpu]",
)
@click.option(
    "-w",
    "--working-dir",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Folder to send along; CMD runs in it. [default: none]",
)
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED, metavar="CMD [ARGS]...", required=True)
def command(
    cmd: tuple[str, ...],
    address: str | None,
    priority: int,
    name: str | None,
    device: str | None,
    memory: str | None,
    reserve: str | None,
    parkable: bool | None,
    working_dir: str | None,
    **settings: str | None,
) -> int:
    """Run a command on a Ray cluster, by priority.

    Ray chooses the node. CMD shares its device there as under giveway run, and so do the Ray
    workers that CMD starts. The output of CMD is printed here, and the exit code is CMD's. Ctrl-C
    stops the job, also while the job waits for its place. Needs giveway[ray].

    Options marked [policies] have an effect under a policy that reads them (giveway serve).

    \b
    Examples:
      giveway submit --address http://head:8265 --priority 10 -- python serve.py
      giveway submit --working-dir . -- python train.py --epochs 3
      giveway submit --parkable -- python train.py
    """
    from giveway.ray.jobs import Job

    logging.disable(logging.WARNING)  # Ray logs its own progress
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, _end)
    given = {key: value for key, value in settings.items() if value is not None}
    job = Job(
        cmd,
        address,
        priority=priority,
        device=device,
        name=name,
        settings=given,
        memory=memory,
        reserve=reserve,
        parkable=parkable,
        working_dir=working_dir,
    )
    echo_line(f"giveway: job {job.id}", err=True)
    try:
        return job.run(_write, lambda line: echo_line(f"giveway: {line}", err=True))
    except (KeyboardInterrupt, SystemExit, click.ClickException):
        echo_line(f"giveway: stopping job {job.id}", err=True)
        job.stop()
        raise


def _write(text: str) -> None:
    try:
        click.echo(text, nl=False)
    except OSError as error:  # of stdout here, not of the cluster
        raise click.ClickException(f"cannot write the output of CMD: {error.strerror}") from error


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
