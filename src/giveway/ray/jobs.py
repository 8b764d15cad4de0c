"""``giveway submit``: an unmodified command as a Ray job under giveway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from giveway import launch
from giveway.errors import ClusterError, UsageError
from giveway.ray import cancel
from giveway.ray.connect import failures, first_sentence, load
from giveway.ray.request import request

# The parent of the job's shell is Ray's own process for the job, and the shell inherits its
# environment. That process runs in any case, as Ray waits for it. The command does not run if it
# would be ungated.
_GATED: Final = (
    '[ "$GIVEWAY_RUN" = "$PPID" ] || { echo "giveway: $(uname -n) cannot run this under giveway: '
    'see raylet.err of that node" >&2; exit 5; }; '
)
_ON_A_GPU: Final = (
    '[ "$GIVEWAY_DEVICE" != cpu ] || { echo "giveway: $(uname -n) has no GPU that giveway can '
    'gate, and Ray has granted one: --device cpu runs this all the same" >&2; exit 5; }; '
)
_PATIENCE_SECONDS: Final = 5.0
"""Time in which a job usually gets its place. Ray takes one or two seconds to start a process."""
_APPEARS_SECONDS: Final = 5.0
"""Time after which Ray knows of a job whose submission was interrupted, or never will."""
_STOP_SECONDS: Final = 10.0
"""Ray kills a job 3 s after the request to stop."""
_ADDRESS: Final = "RAY_API_SERVER_ADDRESS"
_ALL_NODES: Final = 10_000
"""Ray lists at most this many."""


class Job:
    """A job of a Ray cluster.

    Args:
        command: the program and its arguments.
        address: of the cluster's dashboard (``http://HEAD:8265``), or as for ``ray.init``; None:
            ``RAY_API_SERVER_ADDRESS``, ``RAY_ADDRESS``, or the cluster of this machine.
        priority: -1000 to 1000, bigger is more urgent. A job above 0 takes the one urgent place
            of a device.
        device: ``cpu``, ``cuda`` or ``hip``; None: a GPU where the cluster has one.
        name: name of the task; None: derived from the command.
        settings: attributes for policies, such as ``deadline=20ms``.
        memory: the limit of device memory, as ``40GiB`` or ``50%``.
        reserve: the device memory that others leave to the command, in the same form.
        parkable: whether more urgent programs that need device memory may park the command.
        working_dir: folder to send along, in which the command runs; None: no folder.

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
        memory: str | None = None,
        reserve: str | None = None,
        parkable: bool | None = None,
        working_dir: str | None = None,
    ) -> None:
        wanted: dict[str, Any] = {"name": name or launch.derive_name(command)}
        if working_dir is not None:
            wanted["runtime_env"] = {"working_dir": working_dir}
        asked: dict[str, Any] = {"memory": memory, "reserve": reserve, "parkable": parkable}
        # Mistakes in arguments are reported before any request to the cluster.
        request(priority, device, settings or {}, wanted, on_gpu=device != "cpu", **asked)
        submission = load("ray.job_submission")
        with one_line(address or "its default address"), _first(address):
            self._client = submission.JobSubmissionClient()
            on_gpu = device != "cpu" if device else _has_gpu(self._client.get_address())
        self._asked = request(priority, device, settings or {}, wanted, on_gpu=on_gpu, **asked)
        check = _GATED + _ON_A_GPU if on_gpu and device is None else _GATED
        self._entrypoint = f"{check}exec {shlex.join(command)}"
        try:
            self._entrypoint.encode()
        except UnicodeEncodeError:
            raise UsageError("the command is not UTF-8, as Ray requires") from None
        self.id = f"giveway_{secrets.token_hex(6)}"
        self._is_known = False

    def run(self, write: Callable[[str], None], notify: Callable[[str], None]) -> int:
        """Submits the job, and passes its output on until the job has ended.

        Args:
            write: receives the output of the job.
            notify: receives notices about the job, a line each.

        Returns:
            The exit code of the job, 128 + N after signal N.

        Raises:
            ClusterError: the cluster refuses the job or stops answering, or the job ended for
                another reason than its command.
        """
        with one_line(self._client.get_address()):
            self._client.submit_job(
                entrypoint=self._entrypoint,
                submission_id=self.id,
                runtime_env=self._asked["runtime_env"],
                entrypoint_num_gpus=self._asked.get("num_gpus"),
                entrypoint_resources=self._asked.get("resources"),
            )
            self._is_known = True
            asyncio.run(self._tail(write, notify))
            return self._exit_code()

    async def _tail(self, write: Callable[[str], None], notify: Callable[[str], None]) -> None:
        first = f"Running entrypoint for job {self.id}: {self._entrypoint}\n"
        waiting = asyncio.create_task(self._report_wait(notify))
        try:
            async for text in self._client.tail_job_logs(self.id):
                write(text.replace(first, ""))
        finally:
            waiting.cancel()

    async def _report_wait(self, notify: Callable[[str], None]) -> None:
        await asyncio.sleep(_PATIENCE_SECONDS)
        with contextlib.suppress(Exception):  # `_tail` meets the same failure and reports it
            if await asyncio.to_thread(self._state) == "PENDING":
                notify(f"job {self.id} waits: for a place, or for its process to start")

    def _state(self) -> str | None:
        """The state of the job in Ray; None if Ray knows of no such job."""
        try:
            return str(self._client.get_job_status(self.id).value)
        except RuntimeError as error:
            if "status code 404" in str(error):
                return None
            raise

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
        """Ends the job, whether it runs, waits for a place, or was never submitted.

        Raises:
            ClusterError: the cluster does not answer, or the job has not ended after 10 s.
        """
        with one_line(self._client.get_address()):
            appears = 0.0 if self._is_known else _APPEARS_SECONDS
            if not self._becomes(lambda state: state is not None, appears):
                return
            self._client.stop_job(self.id)
            if not self._becomes(lambda state: state != "PENDING", 1.0):
                cancel.pending(self._client, self.id)
            if not self._becomes(lambda state: state not in ("PENDING", "RUNNING"), _STOP_SECONDS):
                raise ClusterError(f"job {self.id} does not end: use ray job stop {self.id}")

    def _becomes(self, right: Callable[[str | None], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not right(self._state()):
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)
        return True


def _has_gpu(address: str) -> bool:
    nodes = load("ray.util.state").list_nodes(
        address=address,
        filters=[("state", "=", "ALIVE")],
        limit=_ALL_NODES,
        raise_on_missing_output=False,
    )
    return any((node.resources_total or {}).get("GPU") for node in nodes)


@contextmanager
def _first(address: str | None) -> Iterator[None]:
    """Sets Ray's address in the environment, which has precedence over an argument."""
    before = os.environ.get(_ADDRESS)
    if address is not None:
        os.environ[_ADDRESS] = address
    try:
        yield
    finally:
        if before is not None:
            os.environ[_ADDRESS] = before
        else:
            os.environ.pop(_ADDRESS, None)


@contextmanager
def one_line(address: str) -> Iterator[None]:
    """Turns exceptions of Ray about a cluster into a `ClusterError` of one line."""
    try:
        yield
    except (
        *failures(),
        load("aiohttp").ClientError,
        load("ray.util.state.exception").RayStateApiException,
    ) as error:
        raise ClusterError(f"the Ray cluster at {address}: {first_sentence(str(error))}") from error
