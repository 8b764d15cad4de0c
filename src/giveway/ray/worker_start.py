"""How a worker is to start on a node. The driver sends this to the node as text."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from giveway.version import __version__


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """The options of `giveway run` on the node."""

    priority: int = 0
    """-1000 to 1000, bigger is more urgent."""
    device: str | None = None
    """None: the default of ``giveway run`` there."""
    name: str = "ray"
    """Name of the task, at most 47 bytes of UTF-8."""
    settings: tuple[str, ...] = ()
    """Attributes for policies, such as ``share=30``."""
    memory: str | None = None
    """As for `launch.environment`, as are ``reserve`` and ``parkable``."""
    reserve: str | None = None
    parkable: bool | None = None
    version: str = __version__
    """Version of giveway on the driver's side."""

    def to_text(self) -> str:
        """The options as text, without those that have their default value."""
        changed = {key: value for key, value in asdict(self).items() if value != _DEFAULTS[key]}
        return json.dumps(changed | {"version": self.version})

    @classmethod
    def from_text(cls, text: str) -> WorkerStart:
        """The options in a text. Those that only another version knows are left out."""
        known = {field.name for field in fields(cls)}
        read = {key: value for key, value in json.loads(text).items() if key in known}
        return cls(**read | {"settings": tuple(read.get("settings", ()))})


_DEFAULTS = asdict(WorkerStart())
