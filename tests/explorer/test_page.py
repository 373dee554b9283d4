"""How the page is made: what is in it, what is refused, and that the ready-made one is fresh."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import cliffgym
from cliffgym import TabularMDP, build_scenario, scenario
from cliffgym.builder import End
from cliffgym.cli import main
from cliffgym.explorer import View, explorer_page, page, save_explorer, scenario_of_tables
from cliffgym.explorer.encoding import fingerprint
from cliffgym.explorer.views import VIEWS

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028 {{script}} \"'&"


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and data.strip():
            self.scripts.append(data)


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.fixture(scope="module")
def whole() -> str:
    return explorer_page()


def test_ready_made_page_is_fresh(whole: str) -> None:
    ready_made = (files("cliffgym.explorer") / "explorer.html").read_text(encoding="utf-8")
    assert ready_made == whole, "run scripts/explorer_page"


def test_page_is_one_small_file_that_names_no_other(whole: str) -> None:
    assert len(whole) < 1_000_000
    assert whole.isascii()
    elements = Elements(whole).elements
    loading = {
        ("link", "href"),
        ("script", "src"),
        ("img", "src"),
        ("iframe", "src"),
        ("object", "data"),
        ("use", "href"),
    }
    sources = [value for tag, given in elements for name, value in given.items() if (tag, name) in loading]
    assert [source for source in sources if source != "data:,"] == []
    assert not re.search(r"url\(\s*['\"]?(?!data:|#)", whole.split("<script")[0])
    assert "@import" not in whole
    for forbidden in ("fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "importScripts", "eval("):
        assert forbidden not in page.joined_script(), forbidden
    policy = next(given["content"] for tag, given in elements if given.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_all_registered_scenarios_at_all_sizes(whole: str) -> None:
    data = data_of(whole)
    assert data["format"] == "cliffgym.explorer/1"
    assert data["version"] == cliffgym.__version__
    assert [entry["id"] for entry in data["scenarios"]] == list(cliffgym.SCENARIOS)
    for entry in data["scenarios"]:
        assert entry["summary"]
        default = json.loads(json.dumps(entry["variants"][0]["parameters"]))
        assert scenario(entry["id"]).parameters == {
            name: tuple(map(tuple_of, value)) if isinstance(value, list) else value for name, value in default.items()
        }
        sizes = [[v["parameters"][size["name"]] for size in entry["sizes"]] for v in entry["variants"]]
        assert len({json.dumps(size) for size in sizes}) == len(entry["variants"])


def tuple_of(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("id", list(cliffgym.SCENARIOS))
def test_every_scenario_has_a_view_with_cliffs(id: str) -> None:
    """What is shown first has something to show."""
    from cliffgym.analysis import trace_weights

    view = VIEWS[id]
    assert trace_weights(scenario(id), view.component, *view.line, reward=view.reward).breakpoints


def test_floats_keep_all_digits() -> None:
    made = scenario("Cliff-Sophistry-v0")
    components = data_of(explorer_page(made))["scenarios"][0]["variants"][0]["components"]
    table = np.zeros((len(components["names"]), made.mdp.num_states * made.mdp.num_actions))
    table[:, components["pairs"]] = np.array(components["values"])[np.array(components["codes"])]
    np.testing.assert_array_equal(table.reshape(made.components.table.shape), made.components.table)


def hostile_scenario() -> cliffgym.Scenario:
    return build_scenario(
        id=HOSTILE,
        prompts=[HOSTILE],
        tokens=[HOSTILE, "other"],
        gamma=1.0,
        components=[HOSTILE],
        rule=lambda prompt, tokens: End(HOSTILE, {HOSTILE: float(tokens[0] == "other")}),
        rewards={"incomplete": {HOSTILE: 1}, "true": {HOSTILE: 1}, HOSTILE: {HOSTILE: -1}},
    )


def test_hostile_texts_stay_texts() -> None:
    text = explorer_page(hostile_scenario())
    elements = Elements(text)
    assert sum(tag == "script" for tag, _ in elements.elements) == 2
    assert all("onerror" not in given for _, given in elements.elements)
    assert data_of(text)["scenarios"][0]["id"] == HOSTILE


@pytest.fixture
def other_sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Modules that a test writes."""
    sources: dict[str, str] = {}
    page.joined_script.cache_clear()
    monkeypatch.setattr(page, "_source", lambda name: sources[name])
    yield sources
    page.joined_script.cache_clear()


def test_modules_are_joined_in_order(other_sources: dict[str, str]) -> None:
    other_sources["main.js"] = (
        'import { a } from "./one.js";\nimport {\n  b,\n} from "./two.js";\nexport const c = a + b;\n'
    )
    other_sources["two.js"] = 'import { a } from "./one.js";\nexport function* b() { yield "</script>"; }\n'
    other_sources["one.js"] = "export const a = 1;\n"
    joined = page.joined_script()
    assert [line for line in joined.splitlines() if line.startswith("//")] == ["// one.js", "// two.js", "// main.js"]
    assert "import" not in joined
    assert "export" not in joined
    assert "</script" not in joined


@pytest.mark.parametrize(
    ("two", "message"),
    [
        ('import { c } from "./main.js";\nexport const b = 1;\n', r"circle, got main.js -> two.js -> main.js"),
        ("const c = 2;\nexport const b = 1;\n", r"differ, got c in two.js and in main.js"),
        ('import b2 from "./one.js";\nexport const b = 1;\n', r"import of two.js must have the form"),
        ("const b = 1;\nexport { b };\n", r"export of two.js must stand before"),
    ],
)
def test_modules_that_cannot_be_joined(other_sources: dict[str, str], two: str, message: str) -> None:
    other_sources["main.js"] = 'import { b } from "./two.js";\nexport const c = b;\n'
    other_sources["two.js"], other_sources["one.js"] = two, "export const a = 1;\n"
    with pytest.raises(ValueError, match=message):
        page.joined_script()


def test_bad_subjects() -> None:
    with pytest.raises(ValueError, match=r"id must be one of .*Cliff-Slacker-v0.*got 'Cliff-Slack-v0'"):
        explorer_page("Cliff-Slack-v0")
    with pytest.raises(ValueError, match=r"different ids, got \['Cliff-Slacker-v0', 'Cliff-Slacker-v0'\]"):
        explorer_page("Cliff-Slacker-v0", scenario("Cliff-Slacker-v0", problems=1))
    with pytest.raises(TypeError, match=r"subject must be the id of a scenario or a Scenario, got 3"):
        explorer_page(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"at most 50,000 state-action pairs, got .* in Cliff-Garnet-v0"):
        explorer_page(scenario("Cliff-Garnet-v0", states=20_000))
    with pytest.raises(ValueError, match=r"at most 200 non-terminal states of an MDP with cycles, got 499"):
        explorer_page(scenario("Cliff-Garnet-v0", states=500))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": "nice"}, r"view.reward must be one of .*, got 'nice'"),
        ({"component": "nice"}, r"view's component must be one of \"correct\", .*, got 'nice'"),
        ({"plane": ("correct", "nice")}, r"view's component must be one of .*, got 'nice'"),
        ({"measure": "nice"}, r"view.measure must be one of .*true_return.*, got 'nice'"),
        ({"line": (1, 1)}, r"view.line must rise, between -1,000,000 and 1,000,000, got \(1, 1\)"),
        ({"x": (0, float("inf"))}, r"view.x must rise, between -1,000,000 and 1,000,000, got \(0, inf\)"),
    ],
)
def test_bad_views(change: dict[str, Any], message: str) -> None:
    given = vars(VIEWS["Cliff-Slacker-v0"]) | change
    with pytest.raises(ValueError, match=message):
        explorer_page("Cliff-Slacker-v0", view=View(**given))


def test_own_tables(tmp_path: Path) -> None:
    mdp, reward = TabularMDP.from_gym(gym.make("FrozenLake-v1"))
    made = scenario_of_tables(
        "Lake", mdp, reward, components={"steps": np.where(mdp.terminal[:, None], 0, 1) * np.ones(reward.shape)}
    )
    assert made.rewards == {"incomplete": {"reward": 1.0}, "true": {"reward": 1.0}}
    save_explorer(tmp_path / "lake.html", made)
    entry = data_of((tmp_path / "lake.html").read_text(encoding="utf-8"))["scenarios"][0]
    assert entry["id"] == "Lake"
    assert entry["variants"][0]["components"]["names"] == ["reward", "steps"]
    for name in ("reward", "true"):  # also where nothing is given as `true`
        with pytest.raises(ValueError, match=f"name of a component must be new, got '{name}'"):
            scenario_of_tables("Lake", mdp, reward, components={name: reward})
    large = np.where(np.arange(reward.size).reshape(reward.shape) == 5, -1e200, reward)
    with pytest.raises(
        ValueError, match=r"true must be at most 1e\+150 in absolute value, got -1e\+200 at state 1, action 1"
    ):
        scenario_of_tables("Lake", mdp, reward, large)
    with pytest.raises(ValueError, match=r"steps must have shape \(S, A\)"):
        scenario_of_tables("Lake", mdp, reward, components={"steps": reward[1:]})


def test_fingerprint_is_of_the_tables_alone() -> None:
    def of(id: str, **arguments: Any) -> str:
        made = scenario(id, **arguments)
        return fingerprint(made.mdp, made.components)

    assert of("Cliff-TieBreaker-v0") == of("Cliff-TieBreaker-v0", bonus=0.02)
    others = [of("Cliff-TieBreaker-v0", **change) for change in ({"problems": 2}, {"target": "latex"}, {"gamma": 0.5})]
    assert len({of("Cliff-TieBreaker-v0"), *others}) == 4
    assert re.fullmatch("[0-9a-f]{16}", others[0])


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_command_line(in_folder: Path, capsys: pytest.CaptureFixture[str], whole: str) -> None:
    assert main(["explore"]) == 0
    assert (in_folder / "cliffgym-explorer.html").read_text(encoding="utf-8") == whole
    assert re.fullmatch(r"Wrote cliffgym-explorer.html \(\d+ kB\)\n", capsys.readouterr().out)
    assert main(["explore", "Cliff-Slacker-v0", "cliffgym:Cliff-Sophistry-v0", "-o", "two.html"]) == 0
    entries = data_of((in_folder / "two.html").read_text(encoding="utf-8"))["scenarios"]
    assert [entry["id"] for entry in entries] == ["Cliff-Slacker-v0", "Cliff-Sophistry-v0"]
    assert main(["explore", "Cliff-Slacker-v0", "--set", "problems=5", "-o", "five.html"]) == 0
    (entry,) = data_of((in_folder / "five.html").read_text(encoding="utf-8"))["scenarios"]
    assert (len(entry["variants"]), entry["variants"][0]["parameters"]["problems"]) == (1, 5)


def test_command_line_opens_a_browser(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or False)
    assert main(["explore", "Cliff-Slacker-v0", "--open"]) == 0
    assert opened == [(in_folder / "cliffgym-explorer.html").resolve().as_uri()]
    assert "open the file yourself" in capsys.readouterr().out


def test_command_line_takes_own_tables(in_folder: Path) -> None:
    mdp = TabularMDP.from_dense([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [1, 0], [False, True], gamma=1.0)
    mdp.save("coin.npz")
    np.save("pay.npy", np.array([[1.0, 1.0], [0, 0]]))
    np.save("heads.npy", np.array([[1.0, 0.0], [0, 0]]))
    files = ["--mdp", "coin.npz", "--reward", "pay.npy", "--true", "heads.npy", "--component", "heads=heads.npy"]
    assert main(["explore", *files, "-o", "coin.html"]) == 0
    entry = data_of((in_folder / "coin.html").read_text(encoding="utf-8"))["scenarios"][0]
    assert entry["id"] == "coin"
    assert entry["variants"][0]["components"]["names"] == ["reward", "true", "heads"]
    assert main(["explore", "--gym", "FrozenLake-v1", "-o", "lake.html"]) == 0
    assert data_of((in_folder / "lake.html").read_text(encoding="utf-8"))["scenarios"][0]["id"] == "FrozenLake-v1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Cliff-Slack-v0"], "id must be one of"),
        (["--set", "problems=5"], "--set needs exactly one ID, got none"),
        (["Cliff-Slacker-v0", "--reward", "x.npy"], "--reward goes with --mdp or --gym, got x.npy without"),
        (["Cliff-Slacker-v0", "--gym", "FrozenLake-v1"], "ID must not be given with --mdp or --gym"),
        (
            ["--gym", "FrozenLake-v1", "--component", "x.npy"],
            "--component must have the form NAME=FILE.npy, got 'x.npy'",
        ),
        (["--mdp", "nothing.npz", "--reward", "x.npy"], "nothing.npz"),
    ],
)
def test_bad_command_lines(
    in_folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["explore", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(in_folder.iterdir()) == []
