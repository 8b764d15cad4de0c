"""``giveway demo``."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from giveway.cli.parts import files, options
from giveway.cli.parts.machine import examine_free
from giveway.cli.parts.progress import bar
from giveway.errors import GivewayError, MissingExtraError, NotMeasuredError, ProgramError
from giveway.results import names

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_SEGMENTS = 4
"""In a round: each program alone, and both together in two modes."""
_SEGMENT_SECONDS = 3.0
_MIN_ROUNDS = 4
_MOST_SECONDS = 105.0
"""After this, nothing begins that is to be measured."""
_AROUND_SECONDS = 45.0
"""Of these, what a longer measurement has besides the seconds that the user asks for."""


@click.command("demo")
@options.device("Device to share.", default="cpu")
@click.option(
    "-s",
    "--seconds",
    metavar="S",
    type=options.Number(3),
    default=60.0,
    show_default=True,
    help="Seconds to measure, 3 or more; start and warm-up come on top.",
)
@files.json_option("Write all figures to FILE; - is standard output.")
@options.anyway
def command(device: str, seconds: float, path: str | None, anyway: bool) -> int:
    """Show what giveway gains on this machine.

    Two PyTorch programs share the device. The urgent program answers requests (ResNet-18). The
    other program never pauses (ResNet-50). Both run alone, together without giveway, and together
    under giveway, at sizes that suit the machine. The demo takes less than two minutes, needs
    giveway[torch], and downloads nothing. The exit code is 9 if other programs kept it from
    measuring.

    \b
    Examples:
      giveway demo
      giveway demo --seconds 180 --json demo.json
    """
    if not (find_spec("torch") and find_spec("torchvision")):
        raise MissingExtraError("giveway demo needs PyTorch: pip install 'giveway[torch]'")
    figures = _measure(device, seconds, anyway)
    if path != "-":
        from rich.console import Console

        show(figures, Console(highlight=False))
    if path is not None:
        files.write_json(path, figures)
    from giveway.report import words

    (scenario,) = figures["results"]
    measured = _nothing(scenario) is None and not any(words.not_measured(scenario))
    return 0 if measured else NotMeasuredError.exit_code


def _measure(device: str, seconds: float, anyway: bool) -> dict[str, Any]:
    """Measures the scenario ``dual`` and returns the result in the form of ``giveway bench``."""
    from giveway.bench import engine
    from giveway.bench.header import header
    from giveway.bench.pace import Pace
    from giveway.bench.segments import Point, Settings
    from giveway.results import result
    from giveway.scenarios import reader

    began = time.monotonic()
    until = began + max(_MOST_SECONDS, seconds + _AROUND_SECONDS)
    rounds = max(_MIN_ROUNDS, round(seconds / (_SEGMENTS * _SEGMENT_SECONDS)))
    scenario = replace(reader.load("dual", device), modes=("alone", "native", "giveway"))
    settings = Settings(
        device=device,
        seconds=round(seconds / (rounds * _SEGMENTS), 3),
        repeats=rounds,
        timeline_seconds=0,
        anyway=anyway,
        pace=Pace(began, until, seconds / rounds),
    )
    head = header(settings, [scenario], examine_free(device, anyway))
    records: list[dict[str, Any]] = []
    with bar() as progress:
        engine.run(
            [Point(scenario, lambda record: records.append(dict(record)))], settings, progress
        )
    figures = result.summarise(head, {"dual": records})
    (scenario,) = figures["results"]
    for failure in scenario["failures"]:
        last = " | ".join(failure["last_lines"])
        what = f"the {names.DEMO[failure['program']]} program {failure['what']}"
        raise ProgramError(what + (f": {last}" if last else ""))
    highs = [each["high"] for each in scenario["modes"].values()]
    if any(each["p50_ms"] is None and each["not_measured"] is None for each in highs):
        raise GivewayError(
            "nothing can be said about this machine, because no request fits into segments of "
            f"{settings.seconds:g} s: use a larger --seconds"
        )
    return figures


def show(figures: dict[str, Any], console: Console) -> None:
    """Prints the setting, the table, the gain, and warnings about the measurement; or else, in one
    sentence, why nothing can be said."""
    from giveway.results.verdict import at_start, verdict, warnings

    (scenario,) = figures["results"]
    if (why := _nothing(scenario)) is not None:
        console.print(_for_newcomers(f"Nothing can be said about this machine: {why}."))
        return
    console.print(_setting(figures, scenario))
    console.print(_table(scenario))
    started = (f"{each}." for each in at_start(figures))
    for line in (verdict(scenario), *started, *warnings(scenario)):
        console.print(_for_newcomers(line))


def _nothing(scenario: dict[str, Any]) -> str | None:
    """The reason why nothing can be said, in a clause; None if the figures mean something."""
    from giveway.results.verdict import meaningless, not_measured, outcome

    if outcome(scenario) == "not measured":
        return not_measured(scenario) or "no round could be finished in time"
    return meaningless(scenario)


def _for_newcomers(line: str) -> str:
    """A sentence in which the programs have the names that the demo gives them."""
    for name, word in names.DEMO.items():
        line = re.sub(rf"\b{name}\b", f"the {word} program", line)
    return line[0].upper() + line[1:] if line.startswith("the ") else line


def _setting(figures: dict[str, Any], scenario: dict[str, Any]) -> str:
    machine, programs = figures["machine"], scenario["programs"]
    high, low = programs["high"], programs["low"]
    busy = scenario["modes"]["alone"]["high"]["busy_share"]
    keeps = "" if busy is None else f", which keeps it busy {busy:.0%} of the time"
    return (
        f"Two PyTorch programs on {figures['device']} ({machine['cpu']}, {machine['cores']} cores)."
        f" Urgent: {high['model']}, a request every {1e3 / high['rate']:.0f} ms{keeps}."
        f" Other: {low['model']}, batches of {low['size']['batch']}, without a pause."
        f" Images of {high['size']['image']} × {high['size']['image']}."
    )


def _table(scenario: dict[str, Any]) -> RenderableType:
    from rich import box
    from rich.table import Table

    from giveway.results.verdict import times

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("")
    table.add_column("urgent p50\n(× alone)", justify="right")
    table.add_column("urgent p99\n(× alone)", justify="right")
    table.add_column("other, batches/s\n(of alone)", justify="right")
    for mode, programs in scenario["modes"].items():
        high, low = programs["high"], programs["low"]
        cells = []
        for name in ("p50", "p99"):
            ratio = high[f"{name}_ratio"]
            extra = f"\n({times(ratio['value'])})" if ratio else ""
            took = high[f"{name}_ms"]
            cells.append("not measured" if took is None else f"{took:.1f} ms{extra}")
        rate, share = low["throughput"], low["share_of_alone"]
        part = f"\n({share['value']:.0%})" if share else ""
        cells.append("not measured" if rate is None else f"{rate:.1f}{part}")
        table.add_row(names.mode_name(mode), *cells)
    return table
