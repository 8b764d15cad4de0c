"""``giveway completion``."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script that completes giveway's commands and options.

    \b
    Examples:
      giveway completion bash > ~/.local/share/bash-completion/completions/giveway
      giveway completion zsh > ~/.zfunc/_giveway    # a folder of fpath
      giveway completion fish > ~/.config/fish/completions/giveway.fish
    """
    from click.shell_completion import get_completion_class

    from giveway.cli import cli

    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(cli, {}, "giveway", "_GIVEWAY_COMPLETE").source())
