"""Whatever a client sends, it is a request or refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from giveway.daemon.requests import Request, parse
from giveway.errors import UsageError


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"do": "status"}, Request("status")),
        ({"do": "policy", "policy": "edf,k=2"}, Request("policy", policy="edf,k=2")),
        ({"do": "pause", "pid": 5}, Request("pause", pid=5)),
        (
            {"do": "resume", "pid": 5, "name": "a", "device": None},
            Request("resume", pid=5, name="a"),
        ),
        ({"do": "events", "after": 3, "follow": True}, Request("events", after=3, follow=True)),
    ],
)
def test_requests(document: dict[str, Any], expected: Request) -> None:
    assert parse(json.dumps(document).encode()) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "one line of JSON"),
        (b"\xff\xfe", "one line of JSON"),
        (b"[" * 60_000, "one line of JSON"),
        (b"1" * 60_000, "one line of JSON"),
        (b"[]", "a JSON object"),
        (b"{}", "unknown request 'None'"),
        (b'{"do": ["status"]}', "unknown request"),
        (b'{"do": "statuss"}', "did you mean 'status'?"),
        (b'{"do": "policy"}', "needs 'policy'"),
        (b'{"do": "policy", "policy": 7}', "a policy's name"),
        (b'{"do": "policy", "policy": ""}', "a policy's name"),
        (b'{"do": "pause", "pid": true}', "a process id"),
        (b'{"do": "pause", "pid": -1}', "a process id"),
        (b'{"do": "pause", "pid": 1e3}', "a process id"),
        (b'{"do": "pause", "pid": 99999999999999}', "a process id"),
        (b'{"do": "events", "follow": 1}', "true or false"),
        (b'{"do": "events", "after": -1}', "an event's number"),
        (b'{"do": "status", "pid": 1}', "has no 'pid'"),
    ],
)
def test_what_is_no_request_is_refused(line: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(line)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["policy", "pid", "name", "device", "after", "follow"]) | st.text()
WORDS = st.sampled_from(["status", "policy", "pause", "resume", "events"]) | VALUES
DOCUMENTS = st.builds(
    lambda do, rest: {**rest, "do": do}, WORDS, st.dictionaries(KEYS, VALUES, max_size=3)
)


def check(line: bytes) -> None:
    try:
        request = parse(line)
    except UsageError:
        return
    assert request.do in ("status", "policy", "pause", "resume", "events")
    assert type(request.policy) is str
    assert type(request.pid) is int
    assert 0 <= request.pid < 2**31
    assert request.pid > 0 or request.do not in ("pause", "resume")
    assert request.policy != "" or request.do != "policy"
    assert request.name is None or type(request.name) is str
    assert request.device is None or type(request.device) is str
    assert type(request.after) is int
    assert type(request.follow) is bool


@given(st.binary(max_size=200))
@example(b'{"do":"status"}\x00')
@example(b'{"do":"status","do":"policy"}')
def test_any_bytes(line: bytes) -> None:
    check(line)


@given(DOCUMENTS)
def test_any_document(document: dict[str, Any]) -> None:
    check(json.dumps(document).encode())
