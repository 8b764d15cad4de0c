"""``giveway doctor``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from giveway.cli.parts.lines import echo_line
from giveway.errors import UsageError
from giveway.sched import memory

if TYPE_CHECKING:
    from giveway.devices.drivers import Verdict
    from giveway.doctor.findings import DeviceReport, PageReport, Report


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--library",
    metavar="PATH",
    help="Only show how giveway would gate this driver library.",
)
def command(as_json: bool, library: str | None) -> int:
    """Find problems of this machine, and show how to fix them.

    Shows each device with what a closed gate can stop there, the paths of the libraries and of the
    gate pages, and whether giveway can use them. The exit code is 0 if there is no problem, else 1.

    With --library, shows how giveway would gate that driver library: by a shim in its place
    (impersonation), by hooks beside it (interposition, with the reason), or not at all (exit code
    1). Calls that would escape the gate are listed.

    \b
    Examples:
      giveway doctor
      giveway doctor --library /opt/rocm/lib/libamdhip64.so.6
    """
    if library is not None and not library:
        raise UsageError("--library needs the path of a library")
    if library is not None:
        return _judge(library, as_json)
    from giveway.doctor.examine import examine

    report = examine()
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        for line in _lines(report):
            echo_line(line)
    return 1 if report.problems else 0


def _judge(path: str, as_json: bool) -> int:
    from giveway.devices import drivers

    try:
        verdict = drivers.judge(Path(path), os.environ)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or path}: {error.strerror}") from error
    gated = verdict.mode is not None
    if as_json:
        known = {**asdict(verdict), "library": str(verdict.library)}
        known["hook"] = None if verdict.hook is None else str(verdict.hook)
        click.echo(json.dumps({"schema": 1, "ok": gated, **known}, indent=2))
    else:
        for line in _verdict_lines(verdict):
            echo_line(line)
    return 0 if gated else 1


def _verdict_lines(verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.library}: {verdict.mode or 'not gated'}"
    for why in verdict.why:
        yield f"  because it   {why}"
    for escape in verdict.escapes:
        yield f"  escapes      {escape}"


def _lines(report: Report) -> Iterator[str]:
    yield f"giveway {report.version}, Python {report.python}"
    yield f"library  {report.library}"
    if report.cpu_quota is not None:
        yield f"CPU quota  {report.cpu_quota}"
    for device in report.devices:
        yield ""
        yield from _device_lines(device)
    if report.drivers:
        yield ""
    for driver in report.drivers:
        yield f"{driver['api']}: {driver['library']} {driver['status']}"
    for program in report.not_gated:
        yield f"{program['name']} ({program['pid']}) is not gated: it {program['why']}"
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
    if device.mode is not None:
        yield f"  mode         {device.mode}"
    for why in device.why:
        yield f"  because it   {why}"
    for escape in device.escapes:
        yield f"  escapes      {escape}"
    if device.mps is not None:
        yield f"  MPS          {device.mps}"
    for page in device.pages:
        yield from _page_lines(page)


def _page_lines(page: PageReport) -> Iterator[str]:
    if not page.exists:
        state = "not there yet: the first program makes it"
    elif page.tasks is None:
        state = f"mode {page.mode}, unusable"
    else:
        state = f"mode {page.mode}, in a folder of mode {page.folder_mode}, tasks: {page.tasks}"
    yield f"  page         {page.path} ({state})"
    if page.memory is not None:
        total, used, reserved = map(memory.show, page.memory.values())
        yield f"  memory       {total}: tasks use {used}, and have reserved {reserved}"
    if page.free_bytes is not None:
        yield f"  space        {page.free_bytes / 2**20:.0f} MiB free there"
