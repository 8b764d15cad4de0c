"""From rounds to figures, the table and the sentence: nothing is gained that was not measured."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from giveway.bench.dual import High, Mode, Round, Sizes
from giveway.bench.result import Result, make_result, times, verdict, warnings
from giveway.cli.demo import show

SIZES = Sizes(
    image=96, low_batch=8, period_ms=50.0, rounds=3, segment_seconds=5.0, warm_seconds=0.75
)


def mode(latency_ms: float, busy: float, throughput: float) -> Mode:
    """A hundred requests, of which the two slowest took twice as long."""
    latencies = [latency_ms / 1e3] * 98 + [latency_ms / 500] * 2
    return Mode(High(latencies, busy), throughput)


def result(
    native: tuple[float, ...] = (40, 50, 60),
    giveway: tuple[float, ...] = (10, 11, 12),
    alone: tuple[float, ...] = (10, 10, 10),
) -> Result:
    """A run whose latencies in ms, by round, are the arguments."""
    return make_result(
        "cpu",
        SIZES,
        [
            Round(mode(a, 0.2, 20.0), mode(n, 0.8, 8.0), mode(g, 0.22, 12.0))
            for a, n, g in zip(alone, native, giveway, strict=True)
        ],
    )


def test_the_figures_are_those_of_the_rounds() -> None:
    figures = json.loads(json.dumps(result()))
    assert figures["schema"] == 1
    assert figures["device"] == "cpu"
    assert figures["modes"]["alone"] == {
        "high": {"n": 300, "p50_ms": 10.0, "p90_ms": 10.0, "p99_ms": 20.0, "max_ms": 20.0},
        "low": {"throughput": 20.0},
    }
    assert figures["modes"]["native"]["high"]["p50_ms"] == 50.0
    assert figures["ratios"] == {
        "native": {"p50": 5.0, "p99": 5.0},
        "giveway": {"p50": 1.1, "p99": 1.1},
    }
    # 20 batches/s alone, of which 80 % are left: 16.
    assert figures["low_share_of_left"] == {"native": 0.5, "giveway": 0.75}
    assert figures["spread"]["native"] == {
        "p50": [4.0, 6.0],
        "p99": [4.0, 6.0],
        "throughput": [0.4, 0.4],
    }
    assert figures["spread"]["alone"]["p50"] == [1.0, 1.0]
    assert [each["native"]["high"]["p50_ms"] for each in figures["rounds"]] == [40.0, 50.0, 60.0]
    assert figures["sizes"]["low_batch"] == 8
    assert figures["sizes"]["high_busy_share"] == 0.2
    assert figures["machine"]["cores"] >= 1
    assert figures["machine"]["memory_bytes"] > 1 << 20
    assert figures["versions"]["numpy"]


def test_ratios_are_of_all_requests_and_not_of_one_round() -> None:
    figures = result(native=(10, 10, 90))
    assert figures["ratios"]["native"]["p50"] == 1.0
    assert figures["spread"]["native"]["p50"] == [1.0, 9.0]


def test_verdict_says_what_was_gained() -> None:
    said = verdict(result())
    assert said.startswith("giveway helped")
    assert "1.10 × its time alone with giveway, 6.00 × without" in verdict(
        result(native=(60, 60, 60), giveway=(11, 11, 11))
    )
    assert "75% of what the urgent one leaves with giveway, 50% without" in said


def test_verdict_claims_no_gain_that_one_round_denies() -> None:
    assert verdict(result(giveway=(10, 11, 41))).startswith("No clear gain")
    assert verdict(result(native=(10, 11, 12), giveway=(10, 11, 12))).startswith("No clear gain")


def test_verdict_admits_a_loss() -> None:
    assert verdict(result(native=(10, 11, 12), giveway=(40, 50, 60))).startswith(
        "giveway made it worse"
    )


def test_a_quiet_machine_gets_no_warning() -> None:
    assert warnings(result(alone=(10, 10.5, 10.9))) == []


def test_a_noisy_machine_is_told_so() -> None:
    (warning,) = warnings(result(alone=(10, 10.5, 11.2)))
    assert "noisy" in warning
    assert "p50 by 12%" in warning
    assert "throughput" not in warning


def test_a_queue_that_only_grows_is_pointed_out() -> None:
    assert warnings(result(native=(49, 49, 49))) == []
    # A request every 50 ms, and the typical one waits for longer than that.
    (warning,) = warnings(result(native=(51, 51, 51)))
    assert "could not keep up" in warning


def test_times() -> None:
    assert times(1.149) == "1.15 ×"
    assert times(76.6) == "77 ×"


@pytest.mark.parametrize("width", [80, 60])
def test_the_table_fits(width: int) -> None:
    screen = io.StringIO()
    show(result(native=(400, 500, 6000)), Console(file=screen, width=width, highlight=False))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(screen.getvalue().split())
    assert "…" not in text
    for cell in ("each alone", "10.0 ms", "500.0 ms", "(50 ×)", "(1.10 ×)", "12.0", "(75%)"):
        assert cell in text
    assert "urgent p99" in text
    assert "giveway helped" in text
