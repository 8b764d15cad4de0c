"""``giveway demo``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from giveway.cli import files, options
from giveway.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


@click.command("demo")
@options.device("Device to share.", default="cpu")
@click.option(
    "-s",
    "--seconds",
    metavar="S",
    type=options.Number(3),
    default=60.0,
    show_default=True,
    help="Seconds to measure for, 3 or more; starting and warming up come on top.",
)
@files.json_option("Write all figures to FILE, - for standard output.")
def command(device: str, seconds: float, path: str | None) -> None:
    """Show what giveway gains on this machine.

    Two PyTorch programs share the device: an urgent one that answers requests (ResNet-18), and
    another that never stops (ResNet-50). They run alone, together without giveway, and together
    with it, at sizes that suit the machine. Takes under two minutes, needs giveway[torch], and
    downloads nothing.

    \b
    Examples:
      giveway demo
      giveway demo --seconds 180 --json demo.json
    """
    if not (find_spec("torch") and find_spec("torchvision")):
        raise MissingExtraError("giveway demo needs PyTorch: pip install 'giveway[torch]'")
    from giveway.bench import dual, result

    with _progress() as progress:
        sizes, rounds = dual.measure(device, seconds, progress)
    figures = result.make_result(device, sizes, rounds)
    if path is not None:
        files.write_json(path, figures)
    if path != "-":
        from rich.console import Console

        show(figures, Console(highlight=False))


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A bar on a terminal; a line for each stage where stderr goes anywhere else."""
    if not sys.stderr.isatty():
        yield lambda stage, _: click.echo(stage, err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda stage, share: bar.update(task, description=stage, completed=share)


def show(figures: dict[str, Any], console: Console) -> None:
    """What was measured, the table, what was gained, and what to know before believing it."""
    from giveway.bench import result

    console.print(_setting(figures))
    console.print(_table(figures))
    for line in (result.verdict(figures), *result.warnings(figures)):
        console.print(line)


def _setting(figures: dict[str, Any]) -> str:
    sizes, machine = figures["sizes"], figures["machine"]
    return (
        f"Two PyTorch programs on {figures['device']} ({machine['cpu']}, {machine['cores']} cores)."
        f" Urgent: {sizes['high_model']}, a request every {sizes['period_ms']:.0f} ms, which keeps"
        f" it busy {sizes['high_busy_share']:.0%} of the time."
        f" Other: {sizes['low_model']}, batches of {sizes['low_batch']}, without a pause."
        f" Images of {sizes['image']} × {sizes['image']}."
    )


def _table(figures: dict[str, Any]) -> RenderableType:
    from rich import box
    from rich.table import Table

    from giveway.bench.result import times

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("")
    table.add_column("urgent p50\n(× alone)", justify="right")
    table.add_column("urgent p99\n(× alone)", justify="right")
    table.add_column("other, batches/s\n(of what is left)", justify="right")
    titles = {
        "alone": "each alone",
        "native": "together, no giveway",
        "giveway": "together, giveway",
    }
    for mode, title in titles.items():
        high, low = figures["modes"][mode]["high"], figures["modes"][mode]["low"]
        shared = mode != "alone"
        cells = [
            f"{high[f'{name}_ms']:.1f} ms"
            + (f"\n({times(figures['ratios'][mode][name])})" if shared else "")
            for name in ("p50", "p99")
        ]
        share = f"\n({figures['low_share_of_left'][mode]:.0%})" if shared else ""
        table.add_row(title, *cells, f"{low['throughput']:.1f}{share}")
    return table
