"""``giveway compare``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from giveway.cli.parts import damage
from giveway.cli.parts.table import Column, render

if TYPE_CHECKING:
    from giveway.report.compare import Change, Comparison

REGRESSED: Final = 1

_COLUMNS: Final = (
    Column("SCENARIO"),
    Column("PROGRAM"),
    Column("FIGURE"),
    Column("OLD", right=True),
    Column("NEW", right=True),
    Column("CHANGE", right=True),
    Column("INTERVAL", right=True),
    Column("NOISE", right=True),
    Column("P", right=True),
    Column("MOVED"),
)
_WORDS: Final = {"better": "better", "worse": "WORSE", "no": "", "unknown": "unknown"}


@click.command("compare")
@click.argument("old", metavar="OLD", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@click.option("--all", "show_all", is_flag=True, help="Also show figures that have not moved.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(old: Path, new: Path, show_all: bool, as_json: bool) -> int:
    """Show which figures moved between two results of giveway bench.

    Compares latencies and throughputs under giveway, each relative to mode alone of the same round.
    A figure has moved if the rounds of both results differ more than chance explains (P, for all
    figures together, at most 5%), and if the change is larger than the noise: 5%, for a p99 also
    its standard error. This needs four rounds in both results. The exit code is 1 if a figure is
    worse.

    \b
    Examples:
      giveway compare results/before results/after
      giveway compare results/before results/after --all
    """
    from giveway.report import compare, load

    with damage.said(old, new):
        found = compare.compare(load.run(old), load.run(new))
        shown = [] if as_json else list(lines(found, show_all))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    for line in shown:
        click.echo(line)
    return REGRESSED if found.regressed else 0


def lines(found: Comparison, show_all: bool) -> Iterator[str]:
    """The comparison as text."""
    moved = [each for each in found.changes if each.moved in ("better", "worse")]
    unknown = sum(each.moved == "unknown" for each in found.changes)
    shown = found.changes if show_all else moved
    if shown:
        yield from render(_COLUMNS, [_row(each) for each in shown])
    worse = sum(each.moved == "worse" for each in moved)
    still = len(found.changes) - len(moved) - unknown
    if found.changes:
        few = f", {unknown} with too few rounds to tell" if unknown else ""
        yield f"{worse} worse, {len(moved) - worse} better, {still} not moved beyond noise{few}."
    else:
        yield "Nothing to compare."
    for failure in found.failures:
        yield f"FAILED  {failure}"
    for note in found.notes:
        yield f"Note: {note}"


def _row(change: Change) -> list[str]:
    form = "{:.0%}" if change.figure == "throughput" else "{:.2f} ×"
    low, high = (edge - 1 for edge in change.interval)
    return [
        change.scenario,
        change.program,
        change.figure,
        form.format(change.old),
        form.format(change.new),
        f"{change.ratio - 1:+.0%}",
        f"{low:+.0%} to {high:+.0%}",
        f"±{change.noise:.0%}",
        "–" if change.p is None else f"{change.p:.2g}",
        _WORDS[change.moved],
    ]
