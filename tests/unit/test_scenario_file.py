"""Scenario files: correct ones are read, and errors name the place and the mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from giveway.errors import UsageError
from giveway.scenarios.model import Scenario, Server, Tokens
from giveway.scenarios.modes import MODES
from giveway.scenarios.reader import load, load_all, shipped

SMALL = """\
title = "Two"

[[program]]
name = "high"
priority = 10
model = "resnet18"
arrivals = "fixed"
rate = { gpu = 10 }
busy = { cpu = 0.25 }
sizes = { cpu = [{ image = 96 }], gpu = [{ image = 224, batch = 2 }] }

[[program]]
name = "low"
command = ["python", "train.py"]

[[bar]]
program = "high"
figure = "p99_ratio"
at_most = { cpu = 1.3, gpu = 1.1 }
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def check_refused(folder: Path, text: str, change: tuple[str, str], line: int, says: str) -> None:
    """Changes a correct file in one place, and checks the line that refuses it."""
    assert text.count(change[0]) == 1
    path = write(folder, text.replace(*change))
    with pytest.raises(UsageError) as caught:
        load_all(path, "cpu")
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_scenario_as_it_is_on_each_device(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    cpu, cuda = load(path, "cpu"), load(path, "cuda")
    assert (cpu.name, cpu.title, cpu.together, cpu.modes) == ("mine", "Two", True, MODES)
    high, low = cpu.programs
    assert (high.arrivals.rate, high.arrivals.busy) == (None, 0.25)
    assert high.sizes == ({"batch": 1, "image": 96},)
    assert (low.command, low.sizes, low.priority) == (("python", "train.py"), (), 0)
    assert low.arrivals.process == "saturating"
    assert [bar.at_most for bar in cpu.bars] == [1.3]
    high, _ = cuda.programs
    assert (high.arrivals.rate, high.arrivals.busy) == (10, None)
    assert high.sizes == ({"batch": 2, "image": 224},)
    assert [bar.at_most for bar in cuda.bars] == [1.1]


def test_modes_are_named_in_any_spelling(tmp_path: Path) -> None:
    text = SMALL.replace('title = "Two"', 'title = "Two"\nmodes = ["alone", "giveway10%"]')
    scenario = load(write(tmp_path, text + 'mode = "giveway 10 %"\n'), "cpu")
    assert scenario.modes == ("alone", "giveway 10%")
    assert scenario.bars[0].mode == "giveway 10%"


def test_a_limit_for_another_device_makes_no_bar_here(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.replace("at_most = { cpu = 1.3, gpu = 1.1 }", "at_most = {gpu=2}"))
    assert load(path, "cpu").bars == ()
    assert len(load(path, "cuda").bars) == 1


PAIRS = SMALL.replace(
    'command = ["python", "train.py"]',
    """task = "train"

[[program.variant]]
model = "bert"

[[program.variant]]
name = "gpt"
model = "gpt2"
sizes = [{ tokens = 2 }]""",
)


def test_variants_are_scenarios_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, PAIRS)
    first, second = load_all(path, "cpu")
    assert [each.name for each in (first, second)] == ["mine@bert", "mine@gpt"]
    assert {each.family for each in (first, second)} == {"mine"}
    assert [each.programs[1].model for each in (first, second)] == ["bert", "gpt2"]
    assert second.programs[1].sizes[0]["tokens"] == 2
    assert {each.programs[1].task for each in (first, second)} == {"train"}
    assert first.programs[0] == second.programs[0]
    assert load(f"{path}@gpt", "cpu") == second
    with pytest.raises(UsageError, match=r"mine\.toml@gtp' has no|no variant 'gtp': did you mean"):
        load(f"{path}@gtp", "cpu")
    with pytest.raises(UsageError, match=r"dual has no variants: name it without @gpt"):
        load("dual@gpt", "cpu")
    with pytest.raises(UsageError, match=r"has 2 scenarios: name one, such as mine@bert"):
        load(path, "cpu")


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('model = "gpt2"', 'model = "gpt9"', 21, "model: 'gpt9' is not allowed"),
        ('name = "gpt"\nmodel = "gpt2"', 'model = "bert"', 19, "'bert' is used twice"),
        ('model = "bert"', 'task = "train"', 17, "task: unknown: there are model, name, sizes"),
        ("tokens = 2", "tokens = 0", 22, "tokens: 0 is not allowed"),
        ('model = "gpt2"', "", 19, "model is required: "),
        ('task = "train"', 'model = "bert"', 14, "model: belongs to each [[program.variant]]"),
    ],
)
def test_what_is_wrong_in_a_variant_is_named(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    check_refused(tmp_path, PAIRS, (old, new), line, says)


def test_the_pairs_are_six_by_six() -> None:
    found = load_all("pairs", "cuda")
    assert len({each.name for each in found}) == 36
    assert {each.programs[0].arrivals.busy for each in found} == {0.5}
    assert load("pairs@bert+gpt2", "cuda") in found


SERVED = """\
title = "A server"

[[program]]
name = "high"
command = ["vllm", "serve", "mine"]
openai = "http://127.0.0.1:8000"
arrivals = "poisson"
rate = 4
prompt_tokens = [64, 256]
output_tokens = { cpu = 8, gpu = 64 }
slo = { ttft = "200ms", tpot = "20ms" }
request = { ignore_eos = true }
"""


def test_a_server_and_its_objective(tmp_path: Path) -> None:
    (high,) = load(write(tmp_path, SERVED), "cpu").programs
    assert high.tokens == Tokens((64, 256), (8, 8))
    url = "http://127.0.0.1:8000/v1/completions"
    assert high.server == Server(url, "text", {"ignore_eos": True})
    assert high.slo == {"ttft": 200, "tpot": 20}
    without = SERVED.replace("ignore_eos = true", "max_tokens = {}")
    (high,) = load(write(tmp_path, without), "cpu").programs
    assert high.server is not None
    assert high.server.request == {"max_tokens": {}}
    (high,) = load(write(tmp_path, SERVED), "cuda").programs
    assert high.tokens is not None
    assert high.tokens.output == (64, 64)


def test_lengths_are_those_of_the_trace(tmp_path: Path) -> None:
    head = "TIMESTAMP,ContextTokens,GeneratedTokens"
    lines = ("2023-11-16 18:01:51,374,44", "2023-11-16 18:01:53,0,109")
    (tmp_path / "trace.csv").write_text("\n".join((head, *lines)))
    text = SERVED.replace('"poisson"', '"trace"\ntrace = "trace.csv"')
    (high,) = load(write(tmp_path, text), "cpu").programs
    assert high.tokens == Tokens((64, 256), (8, 8))  # what the file says comes first
    text = "\n".join(line for line in text.splitlines() if "_tokens" not in line)
    (high,) = load(write(tmp_path, text), "cpu").programs
    assert high.tokens == Tokens((1, 374), (44, 109))


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://localhost:80/", "http://localhost:80/v1/completions"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
    ],
)
def test_endpoints(tmp_path: Path, url: str, endpoint: str) -> None:
    text = SERVED.replace("http://127.0.0.1:8000", url)
    (high,) = load(write(tmp_path, text), "cpu").programs
    assert high.server is not None
    assert high.server.url == endpoint


def test_a_trace_is_read_from_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("0\n0.5\n0.75\n")
    text = SMALL.replace('"fixed"', '"trace"\ntrace = "times.txt"')
    (high, _) = load(write(tmp_path, text), "cpu").programs
    assert high.arrivals.moments == (0.0, 0.5, 0.75)
    (tmp_path / "times.txt").write_text("0\n0.5\nsoon\n")
    with pytest.raises(UsageError, match=r"times\.txt:3:1: expected a number of seconds from 0, f"):
        load(write(tmp_path, text), "cpu")


@pytest.mark.parametrize("device", ["cpu", "cuda", "hip"])
@pytest.mark.parametrize("name", list(shipped()))
def test_what_is_shipped_can_be_read(name: str, device: str) -> None:
    for scenario in load_all(name, device):
        is_complete(scenario)


def is_complete(scenario: Scenario) -> None:
    assert scenario.bars
    names = {program.name for program in scenario.programs}
    assert {bar.program for bar in scenario.bars if bar.program} <= names
    for program in scenario.programs:
        assert program.sizes
        if program.arrivals.open_loop:
            assert (program.arrivals.rate, program.arrivals.busy) != (None, None)


EXAMPLES = Path(__file__).parents[2] / "examples" / "llm"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_examples_can_be_read(path: Path) -> None:
    scenario = load(str(path), "cuda")
    assert scenario.programs[0].server is not None
    assert scenario.bars


GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "llm-server.md").read_text()


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL))
def test_the_scenarios_of_the_guide_can_be_read(tmp_path: Path, text: str) -> None:
    scenario = load(write(tmp_path, text), "cuda")
    assert [program.name for program in scenario.programs] == ["high", "low"]
    assert scenario.programs[0].server is not None


def test_all_scenarios_are_there() -> None:
    assert set(shipped()) == {
        "dual", "dual-heavy", "tenants", "realtime", "train", "llm", "decode", "overhead", "starve",
        "pairs", "quota",
        "decode-train", "decode-lora", "decode-batch", "decode-matmul", "decode-copy",
        "slack-resnet", "slack-eager", "slack-graphs", "slack-phases",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('title = "Two"', "title = 2", 1, "title: 2 is not allowed; allowed: a line of text"),
        ('title = "Two"', "", 1, "title is required"),
        ('title = "Two"', 'title = "Two"\ncolour = 1', 2, "colour: unknown: there are "),
        ('title = "Two"', 'title = "Two', 1, ""),
        ('title = "Two"', 'title = "Two"\nmodes = ["giveway 200%"]', 2, 'or "giveway N%"'),
        ('"p99_ratio"', '"p99_ratio"\nmode = "mpss"', 19, "mode: 'mpss' is not allowed"),
        ("priority = 10", "priority = 2000", 5, "priority: 2000 is not allowed; allowed: a whole"),
        ("priority = 10", "priority = true", 5, "priority: True is not allowed"),
        ("priority = 10", "priorty = 10", 5, "priorty: unknown: did you mean 'priority'?"),
        ('"resnet18"', '"resnet19"', 6, 'model: \'resnet19\' is not allowed; allowed: "resnet18"'),
        ('"fixed"', '"sometimes"', 7, 'allowed: "fixed", "poisson", "trace", "saturating"'),
        ("{ gpu = 10 }", "{ gpu = -1 }", 8, "rate: -1 is not allowed; allowed: a number above 0"),
        ("{ gpu = 10 }", "{ tpu = 1 }", 8, "or a table with such a value for cpu and for gpu"),
        ("busy = { cpu = 0.25 }", "busy = 1.5", 9, "busy: 1.5 is not allowed"),
        ("{ image = 96 }", "{ pixels = 96 }", 10, "pixels: unknown; resnet18 has batch, image"),
        ("{ image = 96 }", "{ image = 0 }", 10, "image: 0 is not allowed"),
        ('name = "low"', 'name = "high"', 13, "'high' is used twice"),
        ('name = "low"', "", 12, "name is required: 1 to 20 letters"),
        ('["python", "train.py"]', "[]", 14, "command: [] is not allowed"),
        ('["python", "train.py"]', '["x"]\nmodel = "bert"', 12, "one of model and command"),
        ('["python", "train.py"]', '["x"]\nhints = {PATH = "x"}', 15, "hints: "),
        ('["python", "train.py"]', '["x"]\nrate = 5', 15, "a command makes its own requests"),
        ('program = "high"', 'program = "hgih"', 17, "'hgih' is not a program; there are high"),
        ('"p99_ratio"', '"p98_ratio"', 18, 'allowed: "p50_ms", '),
        ('"p99_ratio"', '"p99_ratio"\nat_least = 1', 16, "one of at_most and at_least"),
        ('arrivals = "fixed"', 'arrivals = "trace"', 7, '"trace" needs trace'),
        ('"fixed"', '"trace"\ntrace = "gone.txt"', 8, "trace: cannot read "),
        ('model = "resnet18"', 'model = "resnet18"\ncommand = ["x"]', 3, "not both"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    check_refused(tmp_path, SMALL, (old, new), line, says)


OBJECTIVE = 'slo = { ttft = "200ms", tpot = "20ms" }'


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('"http://127.0.0.1:8000"', '"https://127.0.0.1"', 6, "openai: 'https://127.0.0.1' is not"),
        ('"http://127.0.0.1:8000"', '"http://h/v1/embeddings"', 6, "ends in /completions"),
        ('"http://127.0.0.1:8000"', '"http://h:99999"', 6, "is not allowed"),
        ('command = ["vllm", "serve", "mine"]', 'model = "bert"', 6, "openai: needs the command"),
        ('openai = "http://127.0.0.1:8000"', "", 8, "rate: a command makes its own requests"),
        ('arrivals = "poisson"', "", 3, "openai needs arrivals fixed or poisson and a rate"),
        ("rate = 4", "busy = 0.5", 7, "openai needs arrivals fixed or poisson and a rate"),
        ("rate = 4", "rate = 4\nbusy = 0.5", 9, "busy: not for a server"),
        ("[64, 256]", "[256, 64]", 9, "the least and the most like [64, 256]"),
        ("[64, 256]", "0", 9, "prompt_tokens: 0 is not allowed"),
        (OBJECTIVE, 'slo = { ttfp = "2s" }', 11, 'slo: {\'ttfp\': \'2s\'} is not allowed'),
        (OBJECTIVE, 'slo = { ttft = 200 }', 11, "a table of times like"),
        (OBJECTIVE, 'slo = { ttft = "200" }', 11, "'200' has no unit"),
        (OBJECTIVE, 'slo = { ttft = "0ms" }', 11, "a table of times like"),
        (OBJECTIVE, "slo = {}", 11, "slo: {} is not allowed"),
        ("request = { ignore_eos = true }", 'prompt = "words"', 12, 'allowed: "text", "tokens"'),
        ("ignore_eos = true", "max_tokens = 7", 12, "request: max_tokens: bench sets it"),
        ("ignore_eos = true", "stream = false", 12, "request: stream: bench sets it"),
        (
            ':8000"', ':8000/v1/chat/completions"\nprompt = "tokens"', 7,
            "prompt: chat completions take text only",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_server(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    check_refused(tmp_path, SERVED, (old, new), line, says)


@pytest.mark.parametrize("key", ["prompt_tokens = 8", 'prompt = "text"', "request = {a = 1}"])
def test_only_a_language_model_has_lengths(tmp_path: Path, key: str) -> None:
    path = write(tmp_path, SMALL.replace('"resnet18"', f'"resnet18"\n{key}'))
    with pytest.raises(UsageError, match=rf"mine\.toml:7: {key.split()[0]}: only with openai"):
        load(path, "cpu")


def test_objectives_of_models(tmp_path: Path) -> None:
    text = SMALL.replace('"resnet18"', '"resnet18"\nslo = { e2e = "50ms" }')
    assert load(write(tmp_path, text), "cpu").programs[0].slo == {"e2e": 50}
    with pytest.raises(UsageError, match=r"mine\.toml:7: slo: resnet18 has only e2e, no tokens"):
        load(write(tmp_path, text.replace("e2e", "ttft")), "cpu")
    batches = text.replace('arrivals = "fixed"\nrate = { gpu = 10 }\nbusy = { cpu = 0.25 }\n', "")
    with pytest.raises(UsageError, match=r"mine\.toml:7: slo: needs arrivals"):
        load(write(tmp_path, batches), "cpu")


def test_requests_need_a_rate_here_too(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.replace("busy = { cpu = 0.25 }\n", ""))
    load(path, "cuda")
    with pytest.raises(UsageError, match=r'mine\.toml:7: arrivals: "fixed" needs rate or busy'):
        load(path, "cpu")


def test_a_period_is_a_rate(tmp_path: Path) -> None:
    text = SMALL.replace("rate = { gpu = 10 }", 'period = { gpu = "100ms" }')
    (high, _) = load(write(tmp_path, text), "cuda").programs
    assert high.arrivals.rate == 10
    both = write(tmp_path, text.replace("busy", "rate = 5\nbusy"))
    with pytest.raises(UsageError, match=r"mine\.toml:9: rate: the period is already given"):
        load(both, "cuda")


def test_what_a_simulation_reads_may_stand_beside_it(tmp_path: Path) -> None:
    text = SMALL.replace('model = "resnet18"', 'model = "resnet18"\nlaunch = "20us"\nshare = 40')
    path = write(tmp_path, f'{text}\n[simulation]\nduration = "5s"\n')
    assert load(path, "cpu") == load(write(tmp_path, SMALL), "cpu")


def test_no_such_scenario(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no scenario 'duel': there are decode, decode-batch, .*\.toml"
    ):
        load("duel", "cpu")
    with pytest.raises(UsageError, match=r"cannot read the scenario .*No such file"):
        load(str(tmp_path / "none.toml"), "cpu")
