"""``giveway bench``."""

from __future__ import annotations

import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from giveway.cli.parts import options
from giveway.cli.parts.machine import examine
from giveway.cli.parts.progress import bar
from giveway.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from giveway.scenarios.model import Scenario

BAR_FAILED = 1
SCENARIO_FAILED = 6
NOT_SHOWN = 9

_QUICK_SECONDS = 2.5
_SECONDS = 10.0
_REPEATS = 5
_TIMELINE_SECONDS = 2.0
"""On the CPU. Half of this on a GPU, where each kernel is recorded; at most two segments."""


@click.command("bench")
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@options.device("Device to share. [default: the GPU where there is one, else cpu]")
@click.option(
    "-m",
    "--modes",
    metavar="M,…",
    help='Modes to measure: alone, native, giveway, mps+giveway, streams, mps, nice; "giveway N%"'
    " lets the urgent program be slowed down by N%. [default: those of the scenario]",
)
@click.option(
    "-s",
    "--seconds",
    metavar="S",
    type=options.Number(0.2),
    help="Measured seconds of a segment, 0.2 or more. [default: 10]",
)
@click.option(
    "-r",
    "--repeats",
    metavar="R",
    type=options.Number(1, whole=True),
    default=_REPEATS,
    show_default=True,
    help="Rounds; each has one segment of every mode.",
)
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results. [default: giveway-bench-DATE-TIME]",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Segments of 2.5 s, in the modes alone, native and giveway, or giveway N% where the"
    " scenario names it.",
)
@click.option(
    "--load",
    "loads",
    metavar="L,…",
    help="Measure at several rates of the urgent program, each a share of its measured capacity, as"
    " in 0.1,0.5,0.9.",
)
@options.anyway
def command(
    scenarios: tuple[str, ...],
    device: str | None,
    modes: str | None,
    seconds: float | None,
    repeats: int,
    out: Path | None,
    quick: bool,
    loads: str | None,
    anyway: bool,
) -> int:
    """Measure how several programs on one device affect each other.

    Each SCENARIO is a name or the path of a TOML file of your own. Its programs run alone, together
    without giveway, together under giveway, and in its other modes that this machine has. Without
    SCENARIO, the command lists the scenarios. The exit code is 0 if every bar holds, 1 if a bar
    failed, 6 if a program failed, and 9 if a bar is neither shown to hold nor to fail.

    \b
    Examples:
      giveway bench
      giveway bench dual --quick
      giveway bench dual train --seconds 30 --repeats 5 --out results/mine
      giveway bench ./my-service.toml --modes alone,native,giveway
      giveway bench train --load 0.1,0.3,0.5,0.7,0.9
      giveway bench train --modes "alone,native,mps,giveway 0%,giveway 10%,giveway 30%"
    """
    from giveway import devices
    from giveway.bench import quota
    from giveway.bench.header import header
    from giveway.bench.modes import wanted
    from giveway.bench.segments import Settings
    from giveway.results import result
    from giveway.results.store import Store
    from giveway.scenarios import reader, sweep

    if not scenarios:
        _list()
        return 0
    where = device or devices.default()
    each = seconds or (_QUICK_SECONDS if quick else _SECONDS)
    at = sweep.parse_loads(loads) if loads is not None else ()
    named = _named(modes)
    read = [
        replace(each, modes=wanted(each, where, named, quick))
        for name in scenarios
        for each in reader.load_all(name, where)
    ]
    settings = Settings(
        device=where,
        seconds=each,
        repeats=repeats,
        timeline_seconds=min(_TIMELINE_SECONDS / (1 if where == "cpu" else 2), 2 * each),
        anyway=anyway,
    )
    names = [each.name for each in read]
    if len(set(names)) < len(names):
        twice = ", ".join(each for each in names if names.count(each) > 1)
        raise UsageError(f"two scenarios have the same name: {twice}")
    groups = [sweep.at_loads(each, at) if at else [each] for each in read]
    _need_torch(read)
    quota.try_out(program for each in read for program in each.programs)
    folder = out or Path(time.strftime("giveway-bench-%Y%m%d-%H%M%S"))
    found = examine(where, anyway)
    every = [each for group in groups for each in group]
    store = Store(folder, header(settings, every, found))
    try:
        _run(groups, settings, store)
    except BaseException:
        click.echo(f"Results so far: {folder}", err=True)
        raise
    figures = result.read(folder)
    _show(figures, folder)
    if any(each["status"] == "failed" for each in figures["results"]):
        return SCENARIO_FAILED
    if figures["bars"]["failed"]:
        return BAR_FAILED
    open_bars = figures["bars"]["not_shown"] + figures["bars"]["not_measured"]
    return NOT_SHOWN if open_bars else 0


def _run(groups: list[list[Scenario]], settings: Any, store: Any) -> None:
    from giveway.bench import engine
    from giveway.bench.segments import Point

    for number, group in enumerate(groups):
        with bar() as progress:

            def step(stage: str, share: float, at: int = number) -> None:
                first, *others = groups[at]
                name = first.family if others else first.name
                progress(f"{name}: {stage}", (at + share) / len(groups))

            points = [Point(each, store.recorder(each.name)) for each in group]
            engine.run(points, settings, step)


def _list() -> None:
    from giveway.cli.parts.table import Column, render, terminal_width
    from giveway.scenarios.reader import load_all, shipped

    rows = [[name, load_all(name, "cpu")[0].title] for name in shipped()]
    for line in render([Column("SCENARIO"), Column("TITLE", least=20)], rows, terminal_width()):
        click.echo(line)


def _named(text: str | None) -> tuple[str, ...]:
    """The modes that the user names; empty without ``--modes``."""
    from giveway.scenarios.modes import named

    if text is None:
        return ()
    try:
        return tuple(map(named, text.split(",")))
    except ValueError as error:
        raise UsageError(str(error)) from None


def _need_torch(loaded: list[Scenario]) -> None:
    models = any(program.model for each in loaded for program in each.programs)
    if models and not find_spec("torch"):
        raise MissingExtraError("these scenarios need PyTorch: pip install 'giveway[torch]'")


def _show(figures: dict[str, Any], folder: Path) -> None:
    from giveway.cli.parts.bench_table import lines
    from giveway.cli.parts.table import terminal_width

    for line in lines(figures, terminal_width()):
        click.echo(line)
    click.echo(f"Results: {folder}")
