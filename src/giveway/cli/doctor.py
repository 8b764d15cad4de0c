"""``giveway doctor``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from giveway.cli.examine import DeviceReport, PageReport, Report


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(as_json: bool) -> int:
    """Say what giveway finds here, what is wrong, and what to do about it.

    Shows the devices with what a closed gate can stop on each, where the libraries and the gate
    pages are, and whether they can be used. The exit code is 0 where all is well, 1 otherwise.

    \b
    Example:
      giveway doctor
    """
    from giveway.cli.examine import examine

    report = examine()
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        for line in _lines(report):
            click.echo(line)
    return 1 if report.problems else 0


def _lines(report: Report) -> Iterator[str]:
    yield f"giveway {report.version}, Python {report.python}"
    yield f"library  {report.library}"
    for device in report.devices:
        yield ""
        yield from _device_lines(device)
    if report.drivers:
        yield ""
    for driver in report.drivers:
        yield f"{driver['api']}: {driver['library']} {driver['status']}"
    yield ""
    for problem in report.problems:
        yield f"WRONG  {problem.what}"
        yield f"   DO  {problem.do}"
    if not report.problems:
        yield "All is well."


def _device_lines(device: DeviceReport) -> Iterator[str]:
    yield f"{device.name}: {device.description}"
    for name, capability in device.capabilities.items():
        answer = "yes" if capability["supported"] else "no"
        yield f"  {name.replace('_', ' '):12} {answer:4} {capability['reason']}"
    yield f"  hook         {device.hook}"
    if device.driver is not None:
        yield f"  driver       {device.driver}"
    for page in device.pages:
        yield from _page_lines(page)


def _page_lines(page: PageReport) -> Iterator[str]:
    if page.path is None:
        return
    if not page.exists:
        state = "not there yet: the first program makes it"
    elif page.tasks is None:
        state = f"mode {page.mode}, unusable"
    else:
        state = f"mode {page.mode}, in a folder of mode {page.folder_mode}, tasks: {page.tasks}"
    yield f"  page         {page.path} ({state})"
    if page.free_bytes is not None:
        yield f"  space        {page.free_bytes / 2**20:.0f} MiB free there"
