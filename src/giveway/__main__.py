"""The command ``giveway``, also as ``python -m giveway``."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line. Ctrl-C ends it silently while it is still being imported, too."""
    try:
        from giveway import cli
    except KeyboardInterrupt:
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
