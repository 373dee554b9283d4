"""`cliffgym analyze` and `cliffgym cliffs`, and the page of analysed worlds: what is printed is what solvers find."""

import importlib.util
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import gymnasium as gym
import numpy as np
import pytest

import cliffgym
from cliffgym import TabularMDP
from cliffgym.analysis.intervals import regret_interval
from cliffgym.analysis.radius import cliff_radius
from cliffgym.analysis.ties import ties
from cliffgym.analysis.weights import trace_weights
from cliffgym.cli import main
from cliffgym.testing import random_mdp, random_reward

ROOT = Path(__file__).parents[1]
CLIFFS = ["cliffs", "Cliff-LengthPenalty-v0", "--component", "length", "--from", "-1.2", "--to", "0.2"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command that must succeed in silence on standard error; returns what it printed."""

    def runner(*arguments: str) -> str:
        capsys.readouterr()
        assert main(arguments) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return runner


@pytest.fixture
def own(tmp_path: Path) -> tuple[TabularMDP, Any, list[str]]:
    """A user's own MDP and reward, and the arguments that name their files."""
    mdp = random_mdp(3, num_states=8, cycles="free", num_terminal=2)
    reward = random_reward(mdp, 3, levels=3)
    mdp.save(tmp_path / "mdp.npz")
    np.save(tmp_path / "reward.npy", reward)
    return mdp, reward, ["--mdp", str(tmp_path / "mdp.npz"), "--reward", str(tmp_path / "reward.npy")]


@pytest.mark.parametrize("id", cliffgym.SCENARIOS)
@pytest.mark.parametrize("reward", ["incomplete", "true", "weights"])
def test_analysis_of_a_scenario_is_that_of_the_solvers(run: Any, id: str, reward: str) -> None:
    made = cliffgym.scenario(id)
    if reward == "weights":
        first, *_, last = made.components.names
        reward = json.dumps({first: 1, last: -0.5})
    facts = json.loads(run("analyze", id, "--reward", reward, "--json"))
    table = made.reward(json.loads(reward) if reward.startswith("{") else reward)
    found = ties(made.mdp, table)
    assert (facts["subject"], facts["reward"], facts["states"]) == (id, reward, made.mdp.num_states)
    assert facts["ties"]["states"] == found.states.tolist()
    assert facts["ties"]["reachable_states"] == found.reachable_states.tolist()
    assert facts["ties"]["smallest_gap"] == found.smallest_gap
    assert facts["ties"]["log10_optimal_policies"] == found.log10_optimal_policies
    assert facts["ties"]["certified"] is None
    for entry, over in zip(facts["cliff_radius"], ("table", made.components), strict=True):
        nearest = cliff_radius(made.mdp, table, over)
        assert entry["radius"] == nearest.radius
        assert (entry["at"]["state"], entry["at"]["action"]) == (nearest.state, nearest.action)
        assert made.mdp.describe_state(entry["at"]["state"]) in entry["at"]["words"]
        if entry["witness_weights"]:
            assert nearest.witness is not None
            assert list(entry["witness_weights"].values()) == nearest.witness.tolist()
    interval = regret_interval(made.mdp, table, made.reward("true"))
    names = ("worst", "uniform", "best", "optimum", "left_to_chance", "misspecified")
    assert facts["regret_interval"] == {name: getattr(interval, name) for name in names}


def test_analysis_in_words(run: Any) -> None:
    lines = [" ".join(line.split()) for line in run("analyze", "Cliff-Slacker-v0", "--exact").splitlines()]
    assert lines[0] == "Cliff-Slacker-v0, reward incomplete: 41 states, 5 actions, gamma 1"
    for line in (
        "tied states 12",
        "of them reachable by optimal policies 12",
        "optimal deterministic policies 4096",
        "confirmed by exact arithmetic yes",
        "worst 1",
        "uniform 1.5",
        "best 2",
        "left to chance 1",
        "misspecified 0",
    ):
        assert line in lines
    assert any(line.startswith('reward table all 0 state 4 ("prompt 0 · answer_0"), action "ignore"') for line in lines)
    assert any('tied with action "comply"' in line for line in lines)
    text = run("analyze", "Cliff-TieBreaker-v0", "--reward", "true", "--set", "bonus=0.25")
    assert "confirmed" not in text
    assert "target_format -0.25" in text
    assert "reward table       all     0.125 " in text


def test_very_many_policies_are_a_power_of_ten(run: Any) -> None:
    many = ["analyze", "Cliff-Slacker-v0", "--set", "problems=20"]
    facts = json.loads(run(*many, "--json"))
    assert facts["ties"]["optimal_policies"] is None
    assert facts["ties"]["log10_optimal_policies"] == pytest.approx(60 * np.log10(2))
    assert "optimal deterministic policies         10^18.0618" in run(*many)


def test_infinite_is_null_in_json_and_a_word_in_text(run: Any, tmp_path: Path) -> None:
    """One action in every state: no change of the reward can move the policy."""
    mdp = random_mdp(0, num_actions=1)
    mdp.save(tmp_path / "mdp.npz")
    np.save(tmp_path / "reward.npy", random_reward(mdp, 0))
    arguments = ["analyze", "--mdp", str(tmp_path / "mdp.npz"), "--reward", str(tmp_path / "reward.npy")]
    facts = json.loads(run(*arguments, "--json"))
    assert (facts["ties"]["smallest_gap"], facts["cliff_radius"][0]["radius"]) == (None, None)
    assert facts["cliff_radius"][0]["at"] is None
    lines = [" ".join(line.split()) for line in run(*arguments).splitlines()]
    assert "reward table all infinite nothing" in lines
    assert "smallest gap that is no tie none" in lines


def test_radius_of_reachable_states_is_told_apart_where_some_are_not(run: Any) -> None:
    facts = json.loads(run("analyze", "--gym", "CliffWalking-v1", "--json"))
    mdp, reward = TabularMDP.from_gym(gym.make("CliffWalking-v1"))
    assert [entry["states"] for entry in facts["cliff_radius"]] == ["all", "reachable"]
    for entry in facts["cliff_radius"]:
        assert entry["radius"] == cliff_radius(mdp, reward, reachable_only=entry["states"] == "reachable").radius


def test_analysis_says_what_training_leaves_out(run: Any) -> None:
    arguments = ["analyze", "Cliff-MultiReward-v0", "--set", "curated=true"]
    made = cliffgym.scenario("Cliff-MultiReward-v0", curated=True)
    full = made.evaluation
    assert full is not None
    facts = json.loads(run(*arguments, "--json"))["evaluation"]
    assert facts["undetermined"] == [made.mdp.describe_state(state) for state in made.undetermined]
    for name in ("incomplete", "true"):
        interval = regret_interval(full.mdp, made.reward("incomplete"), full.reward(name))
        assert {key: getattr(interval, key) for key in facts[f"{name}_return"]} == facts[f"{name}_return"]
    text = run(*arguments)
    assert 'undetermined at state 3 ("prompt 3"), state 4 ("prompt 4"), state 5 ("prompt 5")' in text
    assert "left to chance                                           0.3875      0.425" in text
    assert json.loads(run("analyze", "Cliff-MultiReward-v0", "--json"))["evaluation"] is None
    assert "undetermined" not in run("analyze", "Cliff-MultiReward-v0")


def test_doubtful_ties_are_warned_of(run: Any) -> None:
    doubtful = ["analyze", "Cliff-TieBreaker-v0", "--reward", '{"correct": 1, "target_format": 5e-10}']
    # In each of 12 format states three formats fall 5e-10 short of json, half the tolerance.
    assert "warning: 36 action gap(s) lie within a factor 10 of the tie tolerance, the first at state 4" in run(
        *doubtful
    )
    exact = run(*doubtful, "--exact")
    assert "warning: exact arithmetic finds other optimal actions than floating point" in exact
    assert "confirmed by exact arithmetic          no" in exact


def test_analysis_of_ones_own_files(run: Any, own: Any, tmp_path: Path) -> None:
    mdp, reward, arguments = own
    facts = json.loads(run("analyze", *arguments, "--json"))
    assert (facts["states"], facts["actions"], facts["gamma"]) == (mdp.num_states, mdp.num_actions, mdp.gamma)
    assert facts["ties"]["states"] == ties(mdp, reward).states.tolist()
    assert facts["cliff_radius"][0]["radius"] == cliff_radius(mdp, reward).radius
    assert facts["regret_interval"] is None
    true = random_reward(mdp, 4)
    np.save(tmp_path / "true.npy", true)
    facts = json.loads(run("analyze", *arguments, "--true", str(tmp_path / "true.npy"), "--json"))
    assert facts["regret_interval"]["best"] == regret_interval(mdp, reward, true).best
    assert json.loads(run("analyze", *arguments, "--gamma", "0.5", "--json"))["gamma"] == 0.5


def test_analysis_of_a_toy_text_environment(run: Any) -> None:
    facts = json.loads(run("analyze", "--gym", "FrozenLake-v1", "--gamma", "0.9", "--exact", "--json"))
    mdp, reward = TabularMDP.from_gym(gym.make("FrozenLake-v1"), 0.9)
    assert facts["ties"]["states"] == ties(mdp, reward).states.tolist()
    assert facts["ties"]["certified"] is True
    dry = json.loads(run("analyze", "--gym", "FrozenLake-v1", "--set", "is_slippery=false", "--json"))
    assert (dry["gamma"], dry["ties"]["optimal_policies"]) == (0.99, 4)


def spoil(folder: Path) -> dict[str, str]:
    """Files that are not what they should be."""
    mdp = random_mdp(3, num_states=8, cycles="free", num_terminal=2)
    mdp.save(folder / "mdp.npz")
    np.save(folder / "wide.npy", np.zeros((8, 4)))
    np.save(folder / "nan.npy", np.full((8, 3), np.nan))
    np.save(folder / "complex.npy", np.zeros((8, 3), dtype=complex))
    np.save(folder / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(folder / "archive.npz", a=np.zeros((8, 3)))
    (folder / "empty.npy").write_bytes(b"")
    (folder / "text.npy").write_text("no numbers here")
    whole = (folder / "mdp.npz").read_bytes()
    (folder / "half.npz").write_bytes(whole[: len(whole) // 2])
    np.save(folder / "good.npy", np.zeros((8, 3)))
    good = (folder / "good.npy").read_bytes()
    (folder / "half.npy").write_bytes(good[:-40])
    return {path.stem + path.suffix: str(path) for path in folder.iterdir()} | {"none": str(folder / "none.npy")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze"], "exactly one of ID, --mdp and --gym must be given, got none"),
        (["analyze", "Cliff-Slacker-v0", "--gym", "Taxi-v4"], "must be given, got ID and --gym"),
        (["analyze", "--mdp", "mdp.npz", "--gym", "Taxi-v4"], "must be given, got --mdp and --gym"),
        (["analyze", "--mdp", "mdp.npz"], "--mdp needs --reward FILE.npy, a table (S, A), got none"),
        (["analyze", "--mdp", "mdp.npz", "--reward", '{"a": 1}'], "--mdp needs --reward FILE.npy"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "good.npy", "--set", "a=1"], "--set goes with ID or --gym"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "wide.npy"], "must have shape (S, A) = (8, 3), got (8, 4)"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "nan.npy"], "must be finite, got nan at state 0"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "complex.npy"], "real numbers, got dtype complex128"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "objects.npy"], "Object arrays cannot be loaded"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "archive.npz"], "one array, got an archive of several"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "empty.npy"], "--reward must be an .npy file of numbers"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "text.npy"], "--reward must be an .npy file of numbers"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "half.npy"], "--reward must be an .npy file of numbers"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "none"], "No such file"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "good.npy", "--true", "wide.npy"], "--true"),
        (["analyze", "--mdp", "mdp.npz", "--reward", "good.npy", "--gamma", "1"], "gamma must be < 1"),
        (["analyze", "--mdp", "half.npz", "--reward", "good.npy"], "path must be an .npz file that TabularMDP.save"),
        (["analyze", "--mdp", "good.npy", "--reward", "good.npy"], "path must be an .npz file that TabularMDP.save"),
        (["analyze", "--mdp", "none", "--reward", "good.npy"], "No such file"),
        (["analyze", "--gym", "Taxi-v4", "--reward", "good.npy"], "--reward must not be given with --gym"),
        (["analyze", "--gym", "Nowhere-v0"], "--gym must be an environment that can be made, got Nowhere-v0"),
        (["analyze", "--gym", "FrozenLake-v1", "--set", "map_name=x"], "--gym must be an environment that can be made"),
        (["analyze", "--gym", "CartPole-v1"], "env must have a toy-text table"),
        (["analyze", "--gym", "Taxi-v4", "--exact"], "exact mode needs at most"),
        (["analyze", "--gym", "FrozenLake-v1", "--gamma", "1"], "gamma must be < 1"),
        (["analyze", "Cliff-Slacker-v0", "--gamma", "0.9"], "--gamma must not be given with an ID; write --set gamma"),
        (["analyze", "Cliff-Slacker-v0", "--true", "good.npy"], "--true must not be given with an ID"),
        (["analyze", "Cliff-Slacker-v0", "--reward", "lasy"], 'reward must be one of "incomplete", "true", "lazy"'),
        (["analyze", "Cliff-Slacker-v0", "--set", "size=3"], "keyword argument of Cliff-Slacker-v0 must be one of"),
        (["analyze", "Cliff-Nothing-v0"], "id must be one of"),
        ([*CLIFFS[:3], "wit", *CLIFFS[4:]], 'component must be one of "correct"'),
        ([*CLIFFS, "--reward", "wit"], 'reward must be one of "incomplete"'),
        ([*CLIFFS[:-1], "-1.2"], "start must be < stop, got -1.2 and -1.2"),
        ([*CLIFFS[:-1], "inf"], "stop must be finite, got inf"),
        ([*CLIFFS[:3], "malformed", *CLIFFS[4:]], "direction must not be all zeros"),
        ([*CLIFFS, "--plot", "good.npy/figure"], "good.npy"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = spoil(tmp_path)
    files["good.npy/figure"] = files["good.npy"] + "/figure"
    assert main([files.get(argument, argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("cliffgym: error: ")
    assert message in printed.err


@pytest.mark.parametrize("arguments", [CLIFFS[:4], [*CLIFFS[:-1], "far"], ["analyze", "--gamma", "half"]])
def test_malformed_options_are_refused_by_the_parser(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_cliffs_in_json_are_the_traced_line(run: Any) -> None:
    facts = json.loads(run(*CLIFFS, "--json"))
    line = trace_weights(cliffgym.scenario("Cliff-LengthPenalty-v0"), "length", -1.2, 0.2)
    positions = [point["position"] for point in facts["breakpoints"]]
    np.testing.assert_allclose(positions, [-1, -1 / 2, -1 / 3, -1 / 4, 0], atol=1e-12)
    for entry, point in zip(facts["breakpoints"], line.breakpoints, strict=True):
        assert entry["states"] == point.states.tolist()
        assert (entry["total_variation"], entry["jumps"]) == (point.total_variation, point.jumps)
    for entry, segment in zip(facts["segments"], line.segments, strict=True):
        assert (entry["from"], entry["to"]) == (segment.start, segment.stop)
        assert entry["components"] == segment.components
        assert entry["optimal_return"] == {"intercept": segment.intercept, "slope": segment.slope}
    assert facts["plots"] == []


def test_cliffs_in_words(run: Any) -> None:
    lines = [line.split() for line in run(*CLIFFS).splitlines()]
    assert " ".join(lines[0]).startswith(
        "Cliff-LengthPenalty-v0: 5 breakpoints on the weight of length from -1.2 to 0.2"
    )
    header = next(line for line in lines if line[:1] == ["position"])
    assert header[-2:] == ["incomplete_return", "true_return"]
    assert "malformed" not in header  # it never jumps
    assert "truncated" not in header
    assert ["-0.25", "1", "1", "0.25", "0.25", "1", "0", "0.25", "0.23"] in lines
    assert ["-0.25", "0", "1", "1", "2.5", "0", "1", "0.95"] in lines  # between the last two
    quiet = run("cliffs", "Cliff-LengthPenalty-v0", "--component", "length", "--from", "0.1", "--to", "0.2")
    assert "0 breakpoints" in quiet
    assert "Jumps" not in quiet
    assert "1 breakpoint on" in run(
        "cliffs", "Cliff-TieBreaker-v0", "--component", "target_format", "--from", "-0.2", "--to", "0.2"
    )


def test_cliffs_of_all_states_and_other_rewards(run: Any) -> None:
    arguments = ["cliffs", "Cliff-TieBreaker-v0", "--component", "target_format", "--from=-1e-1", "--to", "2", "--json"]
    behaviour = json.loads(run(*arguments))
    everywhere = json.loads(run(*arguments, "--all-states"))
    assert [len(point["states"]) for point in behaviour["breakpoints"]] == [4]
    assert [len(point["states"]) for point in everywhere["breakpoints"]] == [12]  # after wrong answers too
    half = json.loads(run(*arguments, "--reward", '{"correct": 0.5}', "--set", "problems=2"))
    assert [len(point["states"]) for point in half["breakpoints"]] == [2]
    assert half["segments"][0]["optimal_return"]["intercept"] == 0.5


def test_cliffs_of_weights_that_move_together(run: Any, tmp_path: Path) -> None:
    rates, base = {"safety_score": 1, "general_score": -1}, {"general_score": 1}
    arguments = ["cliffs", "Cliff-MultiReward-v0", "--component", json.dumps(rates), "--from", "0", "--to", "1"]
    arguments += ["--reward", json.dumps(base), "--plot", str(tmp_path / "line")]
    facts = json.loads(run(*arguments, "--json"))
    assert facts["component"] == rates
    positions = [point["position"] for point in facts["breakpoints"]]
    assert positions == pytest.approx([1 / 3, 3 / 4], abs=1e-12)
    assert (tmp_path / "line.svg").exists()
    assert f"2 breakpoints on the weight of {json.dumps(rates)} from 0 to 1" in run(*arguments)


def test_cliffs_are_plotted_as_png_and_svg(run: Any, tmp_path: Path) -> None:
    text = run(
        *("cliffs", "Cliff-TieBreaker-v0", "--component", "target_format", "--from", "-0.2", "--to", "0.2"),
        *("--set", "problems=1", "--plot", str(tmp_path / "cliff")),
    )
    assert f"Wrote {tmp_path / 'cliff.png'} and {tmp_path / 'cliff.svg'}" in text
    assert (tmp_path / "cliff.png").read_bytes().startswith(b"\x89PNG\r\n")
    root = ET.parse(tmp_path / "cliff.svg").getroot()  # noqa: S314
    words = {"".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {f"soft, temperature {t}" for t in ("0.01", "0.03", "0.1")} <= words
    assert {"exact optimum", "weight of target_format (reward per unit)"} <= words


@pytest.fixture(scope="module")
def report() -> Any:
    """The script that writes the page."""
    spec = importlib.util.spec_from_file_location("analysis_report", ROOT / "scripts" / "analysis_report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_analysed_worlds_is_current(report: Any) -> None:
    page = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")
    assert report.updated(page) == page, "run scripts/analysis_report"


def test_the_gamblers_problem_is_the_books(report: Any) -> None:
    mdp, reward = report.gamblers_problem()
    optimum = cliffgym.optimal(mdp, reward)
    np.testing.assert_allclose(optimum.state_values[[25, 50, 75]], [0.16, 0.4, 0.64], atol=1e-12)
    stakes = {capital: set(np.flatnonzero(optimum.optimal_actions[capital]) + 1) for capital in range(1, 100)}
    assert stakes[51] == {1, 49}
    assert stakes[64] == {11, 14, 36}
    assert all(min(capital, 100 - capital) in stakes[capital] for capital in stakes)  # bold play is optimal
    assert len(optimum.tied_states) == 72
    assert ties(mdp, reward).smallest_gap == pytest.approx(2.34e-4, rel=5e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "--random", "-1"], "--random must be >= 0, got -1"),
        (["verify", "--random", "1", "--seed", "-1"], "--seed must be >= 0, got -1"),
    ],
)
def test_verify_refuses_before_it_starts(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [f"cliffgym: error: {message}"]


def test_a_folder_is_no_stem_of_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["cliffs", "Cliff-TieBreaker-v0", "--component", "target_format", "--from=-0.2", "--to", "0.2"]
    assert main([*line, "--plot", str(tmp_path)]) == 2
    assert "stem must be a file's name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
