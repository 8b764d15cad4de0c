"""``giveway report``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from giveway.cli.parts import damage
from giveway.cli.parts.files import write, write_json
from giveway.errors import UsageError


@click.command("report")
@click.argument(
    "folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="File to write; - is standard output. [default: report.html for the page, else -]",
)
@click.option("--markdown", is_flag=True, help="Write Markdown, for a README or a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Write all figures as JSON, for programs.")
@click.option("--perfetto", is_flag=True, help="Write the timelines only, for ui.perfetto.dev.")
def command(
    folders: tuple[Path, ...],
    output: str | None,
    markdown: bool,
    as_json: bool,
    perfetto: bool,
) -> int:
    """Make a page of results.

    DIR is a folder of giveway bench --out, complete or interrupted, a folder of such folders, or a
    result of giveway verify --json. Results may be packed: a raw.tar.xz in a folder is read like
    the files that it contains. The page is one file that needs no network.

    \b
    Examples:
      giveway report results/mine
      giveway report results/cpu results/gpu -o both.html
      giveway report results/mine --markdown
      giveway report results/mine --json
      giveway report results/mine --perfetto -o timelines.json
    """
    from giveway.report import load, page
    from giveway.report import markdown as as_markdown
    from giveway.report import perfetto as as_trace

    if markdown + as_json + perfetto > 1:
        raise UsageError("--markdown, --json and --perfetto are different reports: use one of them")
    found = load.load(folders)
    if as_json:
        write_json(output or "-", found.to_json())
        return 0
    with damage.said(*folders):
        if perfetto:
            text = json.dumps(as_trace.trace(found))
        else:
            text = as_markdown.markdown(found) if markdown else page.page(found)
    write(output or ("-" if perfetto or markdown else "report.html"), text)
    return 0
