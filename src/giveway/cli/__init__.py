"""The ``giveway`` command: one file per subcommand, imported only when it is wanted."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from giveway.cli.parts.help import Context
from giveway.errors import GivewayError
from giveway.version import __version__

# In the order in which a newcomer needs them.
COMMANDS: Final = (
    *("run", "ps", "top", "set", "serve", "policy", "pause", "resume", "events", "submit"),
    *("trace", "simulate", "demo", "bench", "report", "compare", "verify", "doctor"),
)

INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """Each subcommand is the ``command`` of the module that has its name."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        command.context_class = Context
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists them with what they do, which click would cut off where it takes two lines."""
        commands = ((name, self.get_command(ctx, name)) for name in COMMANDS)
        with formatter.section("Commands"):
            formatter.write_dl([(n, c.get_short_help_str(limit=99)) for n, c in commands if c])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 90},
)
@click.version_option(__version__, message="giveway %(version)s")
def cli() -> None:
    """Low-priority work gives way.

    Several unmodified PyTorch programs share one device: the important one runs nearly as if it
    were alone, the others take what is left.

    \b
    Examples:
      giveway run --priority 10 -- python serve.py    the urgent one
      giveway run -- python train.py                  the other one
      giveway ps                                      who runs, who is held
      giveway set 4242 --priority 5                   change it while it runs
      giveway demo                                    see what it gains here
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line, and ends the process with an exit code.

    docs/reference/cli.md lists the codes.
    """
    _open_what_is_closed()
    _print_all_there_is()
    try:
        code = cli.main(args=args, prog_name="giveway", standalone_mode=False)
        # Now, because what Python says about a closed pipe at exit is not for the user.
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.ClickException as error:
        code = _complain(error.format_message(), error.exit_code)
    except GivewayError as error:
        code = _complain(str(error), error.exit_code)
    except OSError as error:  # a full disk behind stdout, say
        where = f"{error.filename}: " if error.filename else ""
        code = _complain(where + (error.strerror or str(error)), 1)
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Gives this process the standard streams it was started without, but not the program it runs.

    Python opens files so that they close on exec, so that the program finds what we were given.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # The lowest number that is free, and those below are open.
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _print_all_there_is() -> None:
    """What the encoding of the terminal lacks, as in a name, is printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _complain(message: str, exit_code: int) -> int:
    click.echo(f"giveway: {' '.join(message.split())}", err=True)
    return exit_code
