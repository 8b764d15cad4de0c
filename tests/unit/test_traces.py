"""Files of arrivals: three formats, and errors that name file, line, column and expectation."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.errors import UsageError
from giveway.scenarios import traces
from giveway.scenarios.reader import load
from giveway.scenarios.traces import Arrival, read

EXAMPLES = Path(__file__).parents[2] / "examples" / "traces"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_bytes(text.encode())
    return path


def test_one_number_a_line(tmp_path: Path) -> None:
    found = read(write(tmp_path, "0\n\n0.5\r\n 2e1 \n"))
    assert found == (Arrival(0.0), Arrival(0.5), Arrival(20.0))
    assert found[0][1:] == (None, None)


@pytest.mark.parametrize("zone", ["", "+00:00", "Z"])
def test_azures_format(tmp_path: Path, zone: str) -> None:
    lines = (f"2023-11-16 18:01:51.2639900{zone},374,44\n", f"2023-11-16 18:02:01{zone},396,109\n")
    first, second = read(write(tmp_path, AZURE + "".join(lines)))
    assert second.at - first.at == pytest.approx(9.73601, abs=1e-6)
    assert (first[1:], second[1:]) == ((374, 44), (396, 109))


def test_all_fields_may_stand_between_quotation_marks(tmp_path: Path) -> None:
    """Header and times could, and the tokens beside them could not."""
    header = ",".join(f'"{each}"' for each in AZURE.strip().split(","))
    lines = '"2023-11-16 18:01:51","374","44"\n"2023-11-16 18:01:52","396","109"\n'
    found = read(write(tmp_path, f"{header}\n{lines}"))
    assert [each[1:] for each in found] == [(374, 44), (396, 109)]


def test_the_format_of_burstgpt(tmp_path: Path) -> None:
    lines = "5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,230,1317,API log\n"
    assert read(write(tmp_path, BURST + lines)) == (Arrival(5, 472, 18), Arrival(45, 1087, 230))


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    """Later releases of BurstGPT have sessions and times of answers between the others."""
    text = (
        "\ufeffTimestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Log Type\n"
        "5.5,1,2.25,ChatGPT,472,18,Conversation log\n6,1,1,GPT-4,10,20,API log\n"
    )
    assert read(write(tmp_path, text)) == (Arrival(5.5, 472, 18), Arrival(6, 10, 20))


def test_requests_that_failed_are_left_out(tmp_path: Path) -> None:
    lines = "5,a,47,18,65,x\n6,a,0,0,0,x\n7,a,9,0,9,x\n8,a,1,2,3,x\n"
    assert [each.at for each in read(write(tmp_path, BURST + lines))] == [5, 8]


def test_a_long_trace_is_read_as_far_as_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "MAX_REQUESTS", 3)
    assert len(read(write(tmp_path, "1\n2\n3\n4\n5\n"))) == 3


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("", 1, 1, "expected two or more requests, found 0"),
        ("5\n", 1, 1, "expected two or more requests, found 1"),
        ("0\n1 2\n", 2, 1, "expected a number of seconds from 0, found '1 2'"),
        ("0\n1,2\n", 2, 3, "expected one number of seconds a line, found '2'"),
        ("0\n-1\n", 2, 1, "expected a number of seconds from 0, found '-1'"),
        ("0\nnan\n", 2, 1, "expected a number of seconds from 0, found 'nan'"),
        ("0\n2\n1\n", 3, 1, "expected a time that is not before that of the request above"),
        ("time\n1\n", 1, 1, "expected a number of seconds, or the header TIMESTAMP,ContextTokens"),
        (AZURE + "2023-11-16 18:01:51,3,4\nyesterday,3,4\n", 3, 1, "expected a number of seconds"),
        (AZURE + "2023-11-16 25:01:51,3,4\n", 2, 1, "expected a date and time such as 2023-11-16"),
        (AZURE + "2023-11-16 18:01:51,3\n", 2, 22, "expected 3 columns as in the header, found 2"),
        (AZURE + "2023-11-16 18:01:51,3.5,4\n", 2, 21, "expected a whole number of tokens"),
        (BURST + "5,ChatGPT,47,-1,46,x\n", 2, 14, "expected a whole number of tokens, found '-1'"),
        (BURST + f"5,ChatGPT,{'9' * 5000},1,1,x\n", 2, 11, "expected a whole number of tokens"),
        (BURST + "5,ChatGPT,47,,47,x\n", 2, 14, "expected a whole number of tokens"),
        (BURST + "5,ChatGPT,1,2,3,x\n4,ChatGPT,1,2,3,x\n", 3, 1, "a time that is not before"),
    ],
)
def test_what_is_malformed_is_named(
    tmp_path: Path, text: str, line: int, column: int, says: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:{line}:{column}: expected ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60), st.sampled_from(["", AZURE, BURST]))
def test_no_file_ends_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, header: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(header.encode() + body)
    with contextlib.suppress(UsageError):
        found = read(path)
        assert list(found) == sorted(found, key=lambda each: each.at)


@pytest.mark.parametrize(
    ("name", "requests", "tokens"),
    [("times.txt", 30, False), ("azure-llm.csv", 40, True), ("burstgpt.csv", 38, True)],
)
def test_the_examples(name: str, requests: int, tokens: bool) -> None:
    found = read(EXAMPLES / name)
    assert len(found) == requests
    assert all((each.output_tokens is not None) == tokens for each in found)


def test_the_scenario_beside_them() -> None:
    high, _ = (scenario := load(str(EXAMPLES / "bursts.toml"), "cpu")).programs
    assert len(high.arrivals.trace) == 40
    (first, *_) = json.loads(json.dumps(scenario.to_json()))["programs"][0]["arrivals"]["trace"]
    assert first == list(high.arrivals.trace[0])
