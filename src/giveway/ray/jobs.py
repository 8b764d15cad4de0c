"""``giveway submit``: an unmodified command as a Ray job under giveway."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from giveway import launch, placement
from giveway.attributes import change
from giveway.errors import ClusterError
from giveway.ray.connect import first_sentence, load
from giveway.ray.request import options
from giveway.task import Attributes

# The job inherits what Ray's own process for it was started with. That one runs in any case, so
# that Ray does not wait for it in vain; the command does not, if it would run ungated.
_GATED: Final = (
    '[ "$GIVEWAY_RUN" ] || { echo "giveway: $(uname -n) cannot run this under giveway: '
    'raylet.err of that node says why" >&2; exit 5; }; exec '
)
_STOP_SECONDS: Final = 10.0
"""Ray kills a job 3 s after it was asked to end."""


class Job:
    """A job of a Ray cluster.

    Args:
        command: what to run there, and its arguments.
        address: of the cluster's dashboard (``http://HEAD:8265``), or as for ``ray.init``; None:
            ``RAY_API_SERVER_ADDRESS``, ``RAY_ADDRESS``, or the cluster of this machine.
        priority: -1000 to 1000, bigger is more urgent; above 0, it takes the one urgent place of a
            device.
        device: ``cpu``, ``cuda`` or ``hip``; None: a GPU where the cluster has one.
        name: of the task; None: from the command.
        settings: what else policies go by, such as ``deadline=20ms``.
        working_dir: a folder to send along, in which the command runs; None: none.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster.
        UsageError: an argument that cannot be right.
    """

    def __init__(
        self,
        command: Sequence[str],
        address: str | None = None,
        *,
        priority: int = 0,
        device: str | None = None,
        name: str | None = None,
        settings: Mapping[str, str] | None = None,
        working_dir: str | None = None,
    ) -> None:
        share = change(Attributes(), [f"{k}={v}" for k, v in (settings or {}).items()]).share
        submission = load("ray.job_submission")
        if address is not None:  # the environment would win over an argument
            os.environ["RAY_API_SERVER_ADDRESS"] = address
        with _one_line(address or "its default address"):
            self._client = submission.JobSubmissionClient()
            on_gpu = device != "cpu" if device else _has_gpu(self._client.get_address())
        wanted: dict[str, Any] = {"name": name or launch.derive_name(command)}
        if on_gpu:  # said here, as Ray itself is not connected and cannot be asked
            wanted["num_gpus"] = placement.fraction(priority > 0, share)
        if working_dir is not None:
            wanted["runtime_env"] = {"working_dir": working_dir}
        device = device if on_gpu else "cpu"
        self._asked = options(priority, device=device, settings=settings, **wanted)
        self._entrypoint = _GATED + shlex.join(command)
        self.id = f"giveway_{secrets.token_hex(6)}"

    def run(self, write: Callable[[str], None]) -> int:
        """Submits the job, and hands on what it prints until it has ended.

        Returns its exit code, 128 + N after signal N.

        Raises:
            ClusterError: the cluster refuses the job or does not answer any more, or the job ended
                for another reason than its command.
        """
        with _one_line(self._client.get_address()):
            self._client.submit_job(
                entrypoint=self._entrypoint,
                submission_id=self.id,
                runtime_env=self._asked["runtime_env"],
                entrypoint_num_gpus=self._asked.get("num_gpus"),
                entrypoint_resources=self._asked.get("resources"),
            )
            asyncio.run(self._tail(write))
            return self._exit_code()

    async def _tail(self, write: Callable[[str], None]) -> None:
        first = f"Running entrypoint for job {self.id}: {self._entrypoint}\n"
        async for text in self._client.tail_job_logs(self.id):
            write(text.replace(first, ""))

    def _exit_code(self) -> int:
        info = self._client.get_job_info(self.id)
        code = info.driver_exit_code
        if code is None:
            raise ClusterError(
                f"job {self.id} has no exit code: {info.status.value.lower()},"
                f" {first_sentence(info.message)}"
            )
        return 128 - code if code < 0 else int(code)

    def stop(self) -> None:
        """Asks the job to end, and waits until it has.

        Raises:
            ClusterError: the cluster does not answer, or the job has not ended after 10 s.
        """
        with _one_line(self._client.get_address()):
            self._client.stop_job(self.id)
            until = time.monotonic() + _STOP_SECONDS
            while not self._client.get_job_status(self.id).is_terminal():
                if time.monotonic() > until:
                    raise ClusterError(f"job {self.id} does not end: ray job stop {self.id}")
                time.sleep(0.1)


def _has_gpu(address: str) -> bool:
    nodes = load("ray.util.state").list_nodes(address=address)
    return any((node.resources_total or {}).get("GPU") for node in nodes)


@contextmanager
def _one_line(address: str) -> Iterator[None]:
    """What Ray raises about a cluster, as our error. It raises RuntimeError for most of it, and
    lets others through."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, load("aiohttp").ClientError) as error:
        raise ClusterError(f"the Ray cluster at {address}: {first_sentence(str(error))}") from error
