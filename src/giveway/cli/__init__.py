"""The ``giveway`` command: one file per subcommand, imported when the subcommand is used."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from giveway.cli.parts.help import Context, Group, in_one_line
from giveway.cli.parts.lines import echo_line
from giveway.errors import GivewayError
from giveway.version import __version__

# In the order in which a newcomer needs the commands.
COMMANDS: Final = (
    *("run", "ps", "top", "set", "park", "unpark", "serve", "policy", "pause", "resume"),
    *("events", "metrics", "submit", "trace", "simulate", "demo", "bench", "report"),
    *("compare", "verify", "doctor", "mps", "config", "env", "kernel", "completion", "man"),
)

INTERRUPTED: Final = 130


class LazyGroup(Group):
    """Each subcommand is the ``command`` of the module that has its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        command.context_class = Context
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 90},
)
@click.version_option(__version__, message="giveway %(version)s")
def cli() -> None:
    """Low-priority work gives way.

    Several unmodified PyTorch programs share one device. The urgent program runs nearly as fast as
    it would alone. The other programs get the device time that is left.

    \b
    Examples:
      # An urgent program, and a program that gives way:
      giveway run --priority 10 -- python serve.py
      giveway run -- python train.py
      # List the tasks, and change the priority of one:
      giveway ps
      giveway set 4242 --priority 5
      # Measure the gain on this machine:
      giveway demo
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line, and ends the process with an exit code.

    docs/reference/cli.md lists the codes.
    """
    _open_closed_streams()
    _escape_unprintable()
    try:
        _resolve_group()
        code = cli.main(args=args, prog_name="giveway", standalone_mode=False)
        # Flushed here: at exit, Python would print its own message about a closed pipe.
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.ClickException as error:
        code = _print_error(in_one_line(error), error.exit_code)
    except GivewayError as error:
        code = _print_error(str(error), error.exit_code)
    except OSError as error:  # such as a full disk behind stdout
        where = f"{error.filename}: " if error.filename else ""
        code = _print_error(where + (error.strerror or str(error)), 1)
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    finally:
        _finish_output()
    _end(code)


def _resolve_group() -> None:
    if "GIVEWAY_SHARED" in os.environ:
        from giveway.page import folder

        folder.resolve(os.environ)


def _end(code: int) -> NoReturn:
    connect = sys.modules.get("giveway.ray.connect")
    if connect is not None and connect.is_stuck():
        os._exit(code)  # Ray would wait at exit for a head that is gone
    sys.exit(code)


def _open_closed_streams() -> None:
    """Opens the null device for each standard stream that this process was started without.

    Python's descriptors close on exec. So a program under ``giveway run`` finds the streams that
    giveway was started with.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # The kernel gives out the lowest free number, and all lower ones are open by now.
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _escape_unprintable() -> None:
    """Has characters printed as escapes where the terminal's encoding lacks them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _finish_output() -> None:
    """Writes the rest of stdout; a rest that cannot be written goes to the null device.

    At exit, Python would try to write that rest again, print a message of its own, and change the
    exit code to 120.
    """
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(message: str, exit_code: int) -> int:
    echo_line(f"giveway: {' '.join(message.split())}", err=True)
    return exit_code
