"""``giveway verify``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from giveway.cli.parts import files, options, table
from giveway.cli.parts.table import Column
from giveway.errors import MissingExtraError

if TYPE_CHECKING:
    from giveway.verify.session import Outcome

_PHASES: Final = {
    "1": "phase 1: torch and its libraries",
    "2": "phase 2: building blocks",
    "3": "phase 3: models",
    "extra": "extra: other things that programs do",
}
_COLUMNS: Final = (
    Column("CHECK", keep=9),
    Column("RESULT", keep=8),
    Column("SECONDS", right=True, keep=2),
    Column("LAUNCHES", right=True, keep=7),
)
_CPU_COLUMNS: Final = (Column("OPERATORS", right=True, keep=6),)
_GPU_COLUMNS: Final = tuple(
    Column(title, right=True, keep=keep)
    for title, keep in {
        "NULL": 6, "GRAPHS": 1, "COPIES": 5, "ALLOCS": 5, "FREES": 5, "SYNCS": 4, "FAILED": 4,
        "PEAK MB": 3,
    }.items()
)  # fmt: skip
_INTERRUPTED: Final = 130


@click.command("verify")
@options.device("Device to verify. [default: the GPU where there is one, else cpu]")
@click.option(
    "--phase",
    "phases",
    type=click.Choice(tuple(_PHASES)),
    multiple=True,
    help="Run the checks of this phase only; may be given several times.",
)
@click.option(
    "--only",
    "names",
    metavar="NAME",
    multiple=True,
    help="Run this check only; may be given several times.",
)
@click.option(
    "--checks",
    "source",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    help="Python file with CHECKS of your own, which replace giveway's.",
)
@click.option(
    "--rivals",
    metavar="N",
    type=options.Number(0, 64, whole=True),
    default=0,
    show_default=True,
    help="Programs of lower priority, and as many of higher, that start and end beside the checks.",
)
@click.option(
    "--seed",
    metavar="N",
    type=options.Number(0, 2**32 - 1, whole=True),
    default=20,
    show_default=True,
    help="Random seed of weights and inputs.",
)
@click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=options.Number(1, whole=True),
    help="Checks at a time. [default: 1 on cpu; on a GPU one per two cores, at most 8]",
)
@options.anyway
@files.json_option("Write all findings to FILE; - is standard output.")
@click.option(
    "--keep-logs",
    "logs",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the output of each program there. [default: only where a check fails]",
)
def command(
    device: str | None,
    phases: tuple[str, ...],
    names: tuple[str, ...],
    source: str | None,
    rivals: int,
    seed: int,
    jobs: int | None,
    anyway: bool,
    path: str | None,
    logs: Path | None,
) -> int:
    """Show that PyTorch computes the same under giveway.

    Each check is a program. It runs twice with the same seed, with and without giveway run, and
    both runs have to compute the same numbers. The exit code is 0 if every check that applies
    passed, and if rivals, where there are any, held a check.

    \b
    Examples:
      giveway verify
      giveway verify --phase 1 --phase 2
      giveway verify --only googlenet --keep-logs logs
      giveway verify --rivals 2 --json verify.json
    """
    _need("torch")
    from giveway import devices
    from giveway.verify import check, result, session
    from giveway.verify.options import Options

    device = device or devices.default()
    checks = check.builtin() if source is None else check.from_source(source)
    checks = check.select(checks, phases, names)
    if all("torchvision" in chosen.modules for _, chosen in checks):
        _need("torchvision")
    cores = len(os.sched_getaffinity(0))
    chosen = Options(
        device=device,
        seed=seed,
        jobs=jobs or (1 if device == "cpu" else max(1, min(8, cores // 2))),
        rivals=rivals,
        logs=logs,
        anyway=anyway,
    )
    with _progress(len(checks)) as progress:
        results = session.run(checks, chosen, progress)
    document = result.make_result(chosen, results)
    if path != "-":
        _show(document, results.logs)
    if path is not None:
        files.write_json(path, document)
    if results.interrupted:
        return _INTERRUPTED
    return 0 if document["ok"] else 1


def _need(module: str) -> None:
    if not find_spec(module):
        raise MissingExtraError(f"giveway verify needs {module}: pip install 'giveway[torch]'")


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[Outcome, int], None]]:
    """A bar on a terminal, else a line on stderr for each check."""
    if not sys.stderr.isatty():
        yield lambda outcome, done: click.echo(
            f"[{done}/{total}] {outcome.check.name}: {outcome.status}", err=True
        )
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda outcome, done: bar.update(
            task, description=f"{outcome.check.name} {outcome.status}", completed=done
        )


def _show(document: dict[str, Any], logs: Path | None) -> None:
    on_gpu = document["device"]["name"] != "cpu"
    columns = [*_COLUMNS, *(_GPU_COLUMNS if on_gpu else _CPU_COLUMNS)]
    columns.append(Column("HELD s", right=True, keep=6))
    checks = document["checks"]
    # One table, so that all phases have columns of the same width.
    width = table.terminal_width()
    room = None if width is None else width - 2
    header, *lines = table.render(columns, [_row(check, on_gpu) for check in checks], room)
    phase = None
    for check, line in zip(checks, lines, strict=True):
        if check["phase"] != phase:
            phase = check["phase"]
            click.echo(f"\n{_PHASES[phase]}\n  {header}")
        click.echo(f"  {line}")
    click.echo()
    for line in _reasons(checks):
        click.echo(line)
    if document["rivals"] and not document["holds"] and not document["interrupted"]:
        click.echo("no launch was held: beside these rivals, the checks prove nothing")
    click.echo(_summary(document))
    if logs is not None:
        click.echo(f"logs: {logs}")


def _reasons(checks: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each reason of a failed or skipped check, with the names of these checks."""
    for status in ("failed", "skipped"):
        found: dict[str, list[str]] = {}
        for check in checks:
            if check["status"] == status:
                found.setdefault(check["reason"], []).append(check["name"])
        for reason, names in found.items():
            yield f"{', '.join(names)} {status}: {reason}"


def _row(check: dict[str, Any], on_gpu: bool) -> list[str]:
    seen = check["seen"]
    row = [check["name"], check["status"], f"{check['seconds']:.1f}"]
    keys = ["launches"]
    if on_gpu:
        keys += ["null_stream", "graph_launches", "copies", "allocations", "frees", "syncs"]
        keys += ["failures"]
    else:
        keys += ["operators"]
    row += ["" if seen is None else str(seen[key]) for key in keys]
    if on_gpu:
        row.append("" if seen is None else f"{seen['peak_bytes'] / 1e6:.0f}")
    row.append("" if seen is None else f"{seen['held_seconds']:.3f}")
    return row


def _summary(document: dict[str, Any]) -> str:
    counts, device = document["counts"], document["device"]
    parts = [f"{counts[status]} {status}" for status in ("passed", "failed", "skipped")]
    worked = document["rivals_worked"]
    beside = f", beside {2 * document['rivals']} rivals ({worked} in turn)" if worked else ""
    opening = "Interrupted: " if document["interrupted"] else ""
    return (
        f"{opening}{', '.join(parts)} on {device['name']} ({device['description']}) "
        f"in {document['seconds']:.0f} s{beside}."
    )
