"""``giveway simulate``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from giveway.cli.parts import options
from giveway.cli.parts.lines import echo_line
from giveway.cli.parts.table import Column, render

if TYPE_CHECKING:
    from giveway.simulate.scenario import Placement, Scenario

_COLUMNS = (
    Column("POLICY"),
    Column("TASK"),
    Column("P50 ms", right=True),
    Column("P90", right=True),
    Column("P99", right=True),
    Column("P99.9", right=True),
    Column("MAX", right=True),
    Column("P99 × ALONE", right=True),
    Column("LATE", right=True),
    Column("BATCHES/S", right=True),
    Column("OF ALONE", right=True),
    Column("OF WHAT IS LEFT", right=True),
    Column("DEVICE TIME", right=True),
)


@click.command("simulate")
@click.argument("scenario", metavar="SCENARIO", type=click.Path(path_type=Path))
@click.option(
    "-p",
    "--policy",
    "policies",
    metavar="P",
    multiple=True,
    default=("priority",),
    help="Policy to simulate, such as edf, rr,slice=2ms or module:Class, or all; may be given"
    " several times. [default: priority]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--plot",
    type=click.File("w", lazy=False, encoding="utf-8"),
    metavar="FILE",
    help="Draw which task ran when, as SVG.",
)
@click.option(
    "--span",
    metavar="TIME",
    default="200ms",
    show_default=True,
    help="Time to draw, from the end of the warm-up.",
)
@click.option(
    "--placement",
    metavar="RULE",
    type=click.Choice(["next", "fractions", "urgent"]),
    help="How tasks get their devices: next, fractions or urgent. [default: SCENARIO's]",
)
@click.option(
    "--seed",
    metavar="N",
    type=options.Number(0, whole=True),
    help="Random seed. [default: SCENARIO's]",
)
@click.option("--duration", metavar="TIME", help="Virtual time, as in 60s. [default: SCENARIO's]")
def command(
    scenario: Path,
    policies: tuple[str, ...],
    as_json: bool,
    plot: TextIO | None,
    span: str,
    placement: Placement | None,
    seed: int | None,
    duration: str | None,
) -> None:
    """Try policies in virtual time.

    SCENARIO is a name that giveway bench lists, a TOML file of your own (docs/reference/scenario.md
    has its keys), a results folder of giveway bench, or a file that giveway trace --json or giveway
    demo --json wrote. The policies are those that schedule real programs. The programs and devices
    are a model. The same seed gives the same figures.

    \b
    Examples:
      giveway simulate dual -p priority -p fair
      giveway simulate demo.json --json
      giveway simulate tenants -p all --plot tenants.svg --span 50ms
      giveway simulate dual -p mypackage.mymodule:MyPolicy
      giveway simulate cluster.toml --placement urgent
    """
    from giveway.page.slack import Slack
    from giveway.results import archive
    from giveway.sched.attributes import parse_duration
    from giveway.sched.policies import registry
    from giveway.simulate import engine, figures, load
    from giveway.simulate import plot as drawing
    from giveway.simulate.record import Record

    loaded = _from_bench(scenario) if archive.is_folder(scenario) else load.load(scenario)
    loaded = _changed(loaded, placement, seed, duration)
    names = [n for name in policies for n in (registry.BUILT_IN if name == "all" else (name,))]
    span_ns = parse_duration(span)
    # A wrong name is reported before any policy runs.
    chosen = {name: registry.make(name) for name in dict.fromkeys(names)}
    alone = engine.run(loaded, None)
    runs, panels = {}, {}
    for name, policy in chosen.items():
        end_ns = min(loaded.duration_ns, loaded.warm_ns + max(1, span_ns))
        record = Record(loaded.warm_ns, end_ns) if plot is not None else None
        runs[name] = engine.run(loaded, policy, record, Slack)
        if record is not None:
            panels[name] = (runs[name].tasks, record)
    result = figures.make_result(loaded, alone, runs)
    if plot is not None:
        plot.write(drawing.draw(panels))
    if as_json:
        import json

        click.echo(json.dumps(result, indent=2))
    else:
        for line in lines(result):
            echo_line(line)


def _from_bench(folder: Path) -> Scenario:
    """The first scenario of a result of ``giveway bench``."""
    from giveway.results import result
    from giveway.simulate import measured

    return measured.scenario(folder.name, result.read(folder))


def _changed(
    scenario: Scenario, placement: Placement | None, seed: int | None, duration: str | None
) -> Scenario:
    from giveway.errors import UsageError
    from giveway.sched.attributes import parse_duration

    if placement is not None:
        scenario = replace(scenario, placement=placement)
    if seed is not None:
        scenario = replace(scenario, seed=seed)
    if duration is not None:
        scenario = replace(scenario, duration_ns=parse_duration(duration))
        if scenario.duration_ns <= scenario.warm_ns:
            raise UsageError(f"--duration {duration} is not longer than the warm-up")
    return scenario


def lines(result: dict[str, Any]) -> Iterator[str]:
    """The report as text."""
    devices = result["devices"]
    yield (
        f"{result['scenario']}: {result['seconds']:g} s on {devices} device{'s'[: devices > 1]},"
        f" seed {result['seed']}, simulated"
    )
    rows = [_row("alone", name, figures) for name, figures in result["alone"].items()]
    for policy, run in result["policies"].items():
        rows += [_row(policy, name, figures) for name, figures in run["tasks"].items()]
    yield from render(_COLUMNS, rows)
    yield from _placed(result)
    for policy, run in result["policies"].items():
        busy = f"{policy}: devices busy {run['device_busy_share']:.1%}"
        yield f"{busy}, {run['gate_changes']} gate changes, {run['events']} events"
        if run["refused"]:
            yield f"{policy}: {run['refused']} decisions refused, such as: {run['refusals'][0]}"
        if run["failure"]:
            yield f"{policy} failed, and strict priority went on:"
            yield from run["failure"].rstrip().splitlines()


def _placed(result: dict[str, Any]) -> Iterator[str]:
    """How tasks share devices; the same under all policies."""
    where = next(iter(result["policies"].values()))["placement"]
    if where["kind"] == "next":
        return
    yield (
        f"placement {where['kind']}: {where['urgent_sharing']} of {where['urgent']} urgent tasks"
        f" share a device with another; others run on {where['devices_of_others']},"
        f" at most {where['most_others']} on one; {where['waiting']} tasks wait for a device"
    )


def _row(policy: str, name: str, figures: dict[str, Any]) -> list[str]:
    def milliseconds(key: str) -> str:
        return f"{figures[key]:.2f}" if key in figures else ""

    def percent(key: str) -> str:
        return f"{figures[key]:.1%}" if figures.get(key) is not None else ""

    ratio = figures.get("ratios", {}).get("p99")
    return [
        policy,
        name,
        *(milliseconds(f"{key}_ms") for key in ("p50", "p90", "p99", "p99.9", "max")),
        f"{ratio:.2f}" if ratio is not None else "",
        str(figures["missed"]) if "missed" in figures else "",
        f"{figures['throughput']:.2f}" if "throughput" in figures else "",
        percent("share_of_alone"),
        percent("share_of_left"),
        percent("busy_share"),
    ]
