"""What a measurement looks at on the machine before it starts."""

from __future__ import annotations

from typing import Any, Final

from giveway.cli.parts.lines import echo_line
from giveway.errors import NotMeasuredError
from giveway.results.rounds import MOST_OTHERS

_LOOKS: Final = 16


def examine(device: str, anyway: bool) -> dict[str, Any]:
    """What a result records about the machine; says in a line if other programs use it.

    Raises:
        NotMeasuredError: a daemon or other tasks would take part, or other programs use the GPU,
            and ``anyway`` is false.
        UsageError: the caller runs under giveway run.
        PageError: a page cannot be used.
    """
    from giveway.bench import surroundings

    surroundings.refuse_under_run()
    found = surroundings.at_start(device, anyway)
    busy = surroundings.gpu_in_words(found["load"])
    if busy is not None and not anyway:
        # A round cannot tell: its own programs keep the GPU busy as well.
        raise NotMeasuredError(
            f"{busy}: end them, choose another GPU (CUDA_VISIBLE_DEVICES), or measure "
            "nevertheless with --anyway"
        )
    if (words := surroundings.load_in_words(found["load"])) is not None:
        effect = f"Rounds with more than {MOST_OTHERS:.0%} do not count"
        if anyway:
            effect = "Rounds count all the same (--anyway)"
        echo_line(f"giveway: {words}. {effect}.", err=True)
    return found


def examine_free(device: str, anyway: bool) -> dict[str, Any]:
    """As `examine`, for a measurement that is not worth its time beside other programs.

    Waits some seconds for a load to pass.

    Raises:
        NotMeasuredError: as `examine`; or other programs use the machine, and ``anyway`` is false.
        UsageError, PageError: as `examine`.
    """
    from giveway.bench import surroundings

    surroundings.refuse_under_run()
    found = surroundings.at_start(device, anyway, 1 if anyway else _LOOKS)
    words = surroundings.load_in_words(found["load"])
    if words is not None and not anyway:
        raise NotMeasuredError(
            f"nothing can be said about this machine, because {words}: try again "
            "later, or measure nevertheless with --anyway"
        )
    return found
