"""What a driver asks of a node: how a process is to run there. It travels as text."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from giveway.version import __version__


@dataclass(frozen=True, slots=True)
class Asked:
    """What `giveway run` would be told on the node."""

    priority: int = 0
    """-1000 to 1000, bigger is more urgent."""
    device: str | None = None
    """None: what ``giveway run`` takes there by default."""
    name: str = "ray"
    """Of the task, at most 47 bytes of UTF-8."""
    settings: tuple[str, ...] = ()
    """What else policies go by, such as ``share=30``."""
    version: str = __version__
    """Of giveway, where it was asked."""

    def write(self) -> str:
        """As text, without what is as by default."""
        said = {key: value for key, value in asdict(self).items() if value != _DEFAULTS[key]}
        return json.dumps(said | {"version": self.version})

    @classmethod
    def read(cls, text: str) -> Asked:
        """What was asked, perhaps by another version: what is not known here is left out."""
        known = {field.name for field in fields(cls)}
        said = {key: value for key, value in json.loads(text).items() if key in known}
        return cls(**said | {"settings": tuple(said.get("settings", ()))})


_DEFAULTS = asdict(Asked())
