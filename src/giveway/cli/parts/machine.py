"""What a measurement looks at on the machine before it starts."""

from __future__ import annotations

from typing import Any

from giveway.cli.parts.lines import echo_line


def examine(device: str, anyway: bool) -> dict[str, Any]:
    """What a result records about the machine; says in a line if other programs use it.

    Raises:
        NotMeasuredError: a daemon or other tasks would take part, and ``anyway`` is false.
        UsageError: the caller runs under giveway run.
        PageError: a page cannot be used.
    """
    from giveway.bench import surroundings

    surroundings.refuse_under_run()
    found = surroundings.at_start(device, anyway)
    if (words := surroundings.load_in_words(found["load"])) is not None:
        echo_line(f"giveway: {words}.", err=True)
    return found
