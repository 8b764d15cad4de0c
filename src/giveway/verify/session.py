"""Runs each check plainly and under giveway, in separate processes, and compares the outputs."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from giveway import devices, launch
from giveway.bench import surroundings
from giveway.errors import UsageError
from giveway.page.observer import Page
from giveway.verify import children, process, seen
from giveway.verify.check import Check, Finding
from giveway.verify.compare import Verdict, judge, vacuous
from giveway.verify.options import Options
from giveway.verify.process import Ended, Limits
from giveway.verify.rivals import Rivals
from giveway.verify.seen import Seen

PRIORITY: Final = 0
_PLAIN_RUNS: Final = (3, 6)
"""The number of plain runs, if the outputs differ, to measure the spread between plain runs: the
first number if all of them agree, else the second."""

_VARIABLES: Final = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # makes cuBLAS deterministic
    "PYTHONHASHSEED": "0",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one check."""

    check: Check
    status: str
    """``passed``, ``failed`` or ``skipped``."""
    reason: str = ""
    """The reason in one line; empty if the check passed."""
    seconds: float = 0.0
    ended: str = "done"
    """How the process that decided the outcome ended; see `Ended`."""
    verdict: Verdict | None = None
    seen: Seen | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    not_deterministic: Sequence[str] = ()
    """Operators without a deterministic implementation."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    rss_bytes: int | None = None


Progress = Callable[[Outcome, int], None]
"""Called with the outcome of a check and the number of checks that are decided."""


@dataclass(frozen=True, slots=True)
class Results:
    """The outcomes of all checks, in the order of the list. If the run was interrupted, the checks
    that did not finish are absent."""

    outcomes: list[Outcome]
    interrupted: bool
    seconds: float
    rivals_worked: int
    at_start: Mapping[str, Any]
    """What else was on the machine; `giveway.bench.surroundings.at_start`."""
    logs: Path | None
    """The folder of the logs; None if no logs were kept."""

    @property
    def holds(self) -> int:
        """How many launches of the checks waited at a closed gate."""
        return sum(each.seen.holds for each in self.outcomes if each.seen is not None)


def run(checks: Sequence[tuple[str, Check]], options: Options, progress: Progress) -> Results:
    """Runs the checks. Ctrl-C ends the run, and the finished outcomes are returned.

    Raises:
        UsageError: the caller runs under ``giveway run``, or the device is unknown.
        NotMeasuredError: a daemon or other tasks would take part, and the options do not allow it.
        PageError: the gate page of the device cannot be used.
        ProgramError: a rival does not start.
    """
    began = time.monotonic()
    outcomes: dict[int, Outcome] = {}

    def finish(number: int, outcome: Outcome) -> None:
        if outcome.ended != "stopped":
            outcomes[number] = outcome
            progress(outcome, len(outcomes))

    with Session(options) as session, Rivals(options) as rivals:
        try:
            _run_all(session, checks, finish)
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        ordered = [outcomes[number] for number in sorted(outcomes)]
        logs = session.keep_logs(ordered)
        seconds = time.monotonic() - began
        worked = rivals.worked
        return Results(ordered, interrupted, seconds, worked, session.at_start, logs)


def _run_all(
    session: Session,
    checks: Sequence[tuple[str, Check]],
    finish: Callable[[int, Outcome], None],
) -> None:
    for number, (source, check) in enumerate(checks):
        if check.alone:
            finish(number, session.run(source, check))
    # The longest checks start first, so that none of them runs alone at the end.
    order = sorted(range(len(checks)), key=lambda number: -checks[number][1].limit)
    with ThreadPoolExecutor(session.options.jobs) as pool:
        futures: dict[Future[Outcome], int] = {}
        finished = set()
        try:
            for number in order:
                if not checks[number][1].alone:
                    futures[pool.submit(session.run, *checks[number])] = number
            for future in as_completed(futures):
                finished.add(future)
                finish(futures[future], future.result())
        except BaseException:
            session.stop.set()
            for future in as_completed(futures):
                if future not in finished and future.exception() is None:
                    finish(futures[future], future.result())
            raise


def _stopped(check: Check) -> Outcome:
    return Outcome(check, "failed", "interrupted", ended="stopped")


class Session:
    """The environment and folders of a run; a context manager that removes temporary files."""

    def __init__(self, options: Options) -> None:
        if "GIVEWAY_RUN" in os.environ:
            raise UsageError("giveway verify starts its programs: call it without giveway run")
        self.options = options
        self.at_start = surroundings.at_start(options.device, options.anyway)
        self.stop = threading.Event()
        """Set to end all running checks."""
        self._plain = dict(os.environ) | _VARIABLES
        self._gated = launch.environment(self._plain, options.device, PRIORITY, "verify")
        # An unusable page is better reported now than by the programs.
        for page in devices.get(options.device).pages:
            Page.open(page, create=True).check()
        self._folder = Path(tempfile.mkdtemp(prefix="giveway-verify-"))
        self._logs = options.logs or self._folder / "logs"
        self._keep = False

    def __enter__(self) -> Session:
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.__exit__()
            raise UsageError(f"cannot keep logs in {self._logs}: {error.strerror}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        if self._keep:
            for each in self._folder.iterdir():
                if each != self._logs:
                    shutil.rmtree(each)
        else:
            shutil.rmtree(self._folder)

    def keep_logs(self, outcomes: Sequence[Outcome]) -> Path | None:
        """Keeps all logs on request, else those of failed checks; returns their folder."""
        if self.options.logs is not None:
            return self.options.logs
        self._keep = any(outcome.status == "failed" for outcome in outcomes)
        if not self._keep:
            return None
        for outcome in outcomes:
            if outcome.status != "failed":
                for log in self._logs.glob(f"{outcome.check.name}.*.log"):
                    log.unlink()
        return self._logs

    def run(self, source: str, check: Check) -> Outcome:
        """Runs one check. Errors of its processes end in the outcome and never raise."""
        if self.stop.is_set():
            return _stopped(check)
        reason = check.inapplicable(self.options.device)
        if reason is not None:
            return Outcome(check, "skipped", reason)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=f"{check.name}-") as folder:
            try:
                outcome = self._compare(Path(folder), source, check)
            except Exception as error:  # `expect` and `also` are code of the author of the check.
                text = " ".join(f"{type(error).__name__}: {error}".split())
                outcome = Outcome(check, "failed", f"the check could not test its result: {text}")
        return replace(outcome, seconds=round(time.monotonic() - began, 3))

    def _compare(self, folder: Path, source: str, check: Check) -> Outcome:
        plain = self._once(folder, source, check, "plain-1", self._plain)
        if plain.status == "skipped":
            return Outcome(check, "skipped", plain.reason)
        if plain.status != "done":
            reason = f"also without giveway: {plain.reason}"
            return Outcome(check, "failed", reason, ended=plain.status)
        trace = folder / "trace"
        trace.mkdir()
        variables = {"GIVEWAY_TRACE": str(trace), "GIVEWAY_NAME": f"verify-{check.name}"}
        given = self._once(folder, source, check, "giveway", self._gated | variables)
        if given.status == "skipped":
            return Outcome(check, "failed", f"skipped under giveway only: {given.reason}")
        if given.status != "done":
            return Outcome(check, "failed", given.reason, ended=given.status)
        counts = seen.read(trace, self.options.device)
        verdict = self._judge(folder, source, check)
        if self.stop.is_set() and not verdict.same:
            return _stopped(check)  # the plain runs are incomplete
        finding = Finding() if check.also is None else check.also(self._plain, self._gated)
        problem = self._problem(folder, check, counts, verdict) or finding.problem
        return Outcome(
            check,
            "passed" if problem is None else "failed",
            problem or "",
            verdict=verdict,
            seen=counts,
            facts=finding.facts,
            not_deterministic=given.details["not_deterministic"],
            environment=given.details["environment"],
            rss_bytes=given.details["rss_bytes"],
        )

    def _once(
        self, folder: Path, source: str, check: Check, name: str, environment: Mapping[str, str]
    ) -> Ended:
        (folder / name).mkdir()
        options = self.options
        # Rivals slow the check down.
        limits = Limits(check.limit * (1 + 2 * options.rivals), options.memory_bytes)
        return process.run(
            [source, check.name, options.device, str(options.seed)],
            {**environment, **check.variables},
            folder / name,
            self._logs / f"{check.name}.{name}.log",
            limits,
            self.stop,
        )

    def _judge(self, folder: Path, source: str, check: Check) -> Verdict:
        plain = [folder / "plain-1"]
        verdict = judge(folder / "giveway", plain)
        few, many = _PLAIN_RUNS
        while not verdict.same and len(plain) < (few if verdict.plain_agree is not False else many):
            name = f"plain-{len(plain) + 1}"
            if self._once(folder, source, check, name, self._plain).status != "done":
                break
            plain.append(folder / name)
            verdict = judge(folder / "giveway", plain)
        return verdict

    def _problem(self, folder: Path, check: Check, counts: Seen, verdict: Verdict) -> str | None:
        if not verdict.same:
            return f"{verdict.first}; seed {self.options.seed}"
        if (why := vacuous(folder / "plain-1")) is not None:
            return why
        if ungated := children.ungated(folder / "giveway"):
            return f"it starts {', '.join(ungated[:3])} without giveway's libraries"
        if check.launches and counts.launches == 0:
            return "the program ran ungated: giveway counted no launches"
        return None if check.expect is None else check.expect(counts)
