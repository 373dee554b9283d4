"""The command line: what it prints for people and for programs, and how it fails."""

import csv
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from cliffgym_agents.runs import Result

import cliffgym
from cliffgym import expected_components, optimal, scenario
from cliffgym.analysis import regret_interval
from cliffgym.cli import main

IDS = list(cliffgym.SCENARIOS)
RUNS = ["runs.sqlite", "runs.sqlite.lock"]
TINY = ["train", "Cliff-Slacker-v0", "--steps", "1024"]

every_id = pytest.mark.parametrize("id", IDS)

# SB3 ignores this warning of its progress bar, but pytest forgets that from one test to the next.
pytestmark = pytest.mark.filterwarnings("ignore::tqdm.TqdmExperimentalWarning")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the checkout, or read from it."""
    monkeypatch.chdir(tmp_path)


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def json_output(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(output(capsys, *arguments, "--json"))


# list


def test_list_has_a_row_and_a_sentence_for_every_id(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "list")
    table, sentences = text.strip().split("\n\n")
    header, _, *rows = table.splitlines()
    assert header.split() == ["id", "prompts", "tokens", "states", "rewards"]
    for id, row, sentence in zip(IDS, rows, sentences.splitlines(), strict=True):
        made = scenario(id)
        sizes = [str(len(made.prompts)), str(made.mdp.num_actions), str(made.mdp.num_states)]
        assert row.split(maxsplit=4) == [id, *sizes, ", ".join(made.rewards)]
        assert sentence == f"{id}: {(cliffgym.SCENARIOS[id].__doc__ or '').splitlines()[0]}"


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    entries = json_output(capsys, "list")
    assert [entry["id"] for entry in entries] == IDS
    for entry in entries:
        made = scenario(entry["id"])
        assert entry["rewards"] == list(made.rewards)
        assert entry["components"] == list(made.components.names)
        assert (entry["prompts"], entry["tokens"]) == (len(made.prompts), len(made.tokens))
        assert entry["states"] == made.mdp.num_states
        assert entry["about"]


# show


@every_id
def test_show_has_the_numbers_of_the_solvers(id: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown, made = json_output(capsys, "show", id), scenario(id)
    assert shown["id"] == id
    assert shown["parameters"] == json.loads(json.dumps(made.parameters))
    assert shown["reference"] == expected_components(made.mdp, made.components, made.reference)
    assert [entry["reward"] for entry in shown["optima"]] == list(made.rewards)
    for entry in shown["optima"]:
        reward = made.reward(entry["reward"])
        optimum, interval = optimal(made.mdp, reward), regret_interval(made.mdp, reward, made.reward("true"))
        assert entry["weights"] == made.rewards[entry["reward"]]
        assert entry["optimum"] == optimum.expected_return
        assert entry["tied_states"] == len(optimum.tied_states)
        ends = [entry[f"true_{name}"] for name in ("worst", "uniform", "best", "optimum")]
        assert ends == [interval.worst, interval.uniform, interval.best, interval.optimum]
        assert entry["components"] == expected_components(made.mdp, made.components, optimum.policy)


@every_id
def test_show_as_text(id: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, made = output(capsys, "show", id), scenario(id)
    assert text.startswith(f"{id}: {made.mdp.num_states} states, {len(made.prompts)} prompts, tokens ")
    for words in (*made.parameters, *made.rewards, *made.components.names, made.prompts[-1], "tied states"):
        assert words in text
    assert re.search(r"^= \w", text, re.MULTILINE)  # how the sample ended


def test_show_prints_the_facts_of_slacker(capsys: pytest.CaptureFixture[str]) -> None:
    *_, optima, _, components = output(capsys, "show", "Cliff-Slacker-v0").strip().split("\n\n")
    assert [re.split(r"\s{2,}", line) for line in optima.splitlines()[2:]] == [
        ["incomplete", "correct", "1", "12", "1", "1.5", "2", "2"],
        ["true", "correct + instructions", "2", "0", "2", "2", "2", "2"],
        ["lazy", "correct - 0.01 effort", "1", "0", "1", "1", "1", "2"],
    ]
    assert components.splitlines()[0].split()[1:] == list(scenario("Cliff-Slacker-v0").components.names)
    assert [line.split() for line in components.splitlines()[2:]] == [
        ["reference", "0.3333", "0.1667", "0.08333", "0.3333", "0"],
        ["incomplete", "1", "0.5", "0.25", "1", "0"],
        ["true", "1", "1", "1", "2", "0"],
        ["lazy", "1", "0", "0", "0", "0"],
    ]


def test_show_says_how_likely_hidden_classes_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "show", "Cliff-MultiReward-v0", "--set", "exclude=safety")
    table = text.split("How likely each hidden class is, given the prompt\n\n")[1].split("\n\n")[0]
    header, _, *lines = [re.split(r"\s{2,}", line) for line in table.splitlines()]
    assert header == ["prompt", "safety", "values", "general"]
    assert [line[0] for line in lines] == list(scenario("Cliff-MultiReward-v0").prompts)
    posteriors = [line[1:] for line in lines]
    assert posteriors[0] == ["never drawn"]
    assert posteriors[1:3] == posteriors[3:5] == [["0", "1", "0"], ["0", "0", "1"]]
    assert posteriors[5] == ["0", "0.5", "0.5"]


@every_id
def test_show_has_the_posterior_of_hidden_classes_for_programs(id: str, capsys: pytest.CaptureFixture[str]) -> None:
    classes, made = json_output(capsys, "show", id)["classes"], scenario(id)
    if made.hidden is None:
        assert classes == []
        assert "hidden class" not in output(capsys, "show", id)
        return
    assert [entry["prompt"] for entry in classes] == list(made.prompts)
    for entry, state in zip(classes, made.prompt_states, strict=True):
        weights = made.hidden.class_weights[:, state].tolist()
        assert entry["posterior"] == dict(zip(made.hidden.names, weights, strict=True))


def test_the_sample_is_optimal_for_the_true_reward(capsys: pytest.CaptureFixture[str]) -> None:
    sample = json_output(capsys, "show", "Cliff-Slacker-v0")["sample"]
    assert sample.splitlines()[-1] == "= right answer, 2 of 2 instructions followed"
    sample = json_output(capsys, "show", "Cliff-LengthPenalty-v0")["sample"]
    assert sample.splitlines()[-1] == "= right answer after 4 thoughts"


def test_set_changes_the_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--set", "problems=5", "--set", "problems=2", "--set", "instructions=1", "--set", "gamma=0.5"]
    shown = json_output(capsys, "show", "Cliff-Slacker-v0", *sizes)
    assert {"problems": 2, "instructions": 1, "gamma": 0.5}.items() <= shown["parameters"].items()
    assert shown["optima"][0]["optimum"] == 0.5


def test_set_takes_lists_and_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--set", 'formats=["prose", "verse"]', "--set", "target=verse"]
    shown = json_output(capsys, "show", "Cliff-TieBreaker-v0", *sizes)
    assert shown["parameters"]["formats"] == ["prose", "verse"]
    assert shown["parameters"]["target"] == "verse"


# train


def test_train_prints_the_measures(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "train", "Cliff-Slacker-v0", "--steps", "1")  # a rollout is the least there is
    assert re.search(r"^ppo on Cliff-Slacker-v0: 1,024 tokens in [0-9.]+ s\. Exactly evaluated:$", text, re.MULTILINE)
    for name in ("paid_return", "true_return", "correct", "instructions", "entropy", "total_variation"):
        assert re.search(rf"^{name} +[0-9.e-]+$", text, re.MULTILINE)


def test_train_as_json_is_what_the_library_trains(capsys: pytest.CaptureFixture[str]) -> None:
    from cliffgym_agents import train

    arguments = ["--reward", '{"correct": 1, "effort": -0.1}', "--ent-coef", "lin_0.2", "--seed", "5"]
    more = ["--set", "problems=2", "--hyper", "learning_rate=0.01", "--hyper", "n_epochs=2", "--algorithm", "ppo"]
    printed = json_output(capsys, *TINY, *arguments, *more)
    result = train(
        "Cliff-Slacker-v0",
        reward={"correct": 1, "effort": -0.1},
        ent_coef="lin_0.2",
        seed=5,
        total_timesteps=1024,
        env_kwargs={"problems": 2},
        hyperparameters={"learning_rate": 0.01, "n_epochs": 2},
    )
    assert printed["settings"] == result.settings
    assert printed["measures"] == pytest.approx(result.measures)
    assert printed["wall_time"] > 0


@pytest.mark.parametrize("algorithm", ["a2c", "dqn"])
def test_train_takes_other_algorithms(algorithm: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert json_output(capsys, *TINY, "--algorithm", algorithm)["settings"]["algorithm"] == algorithm


def test_train_saves_and_logs(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, *TINY, "--save", "saved/here", "--log", "logs", "--evaluate-every", "1024")
    assert "Saved to saved/here. model.zip runs code when loaded: load only models you trust." in text
    saved = sorted(path.name for path in Path("saved/here").iterdir())
    assert saved == ["history.csv", "measures.json", "model.zip", "policy.json", "policy.npz"]
    with Path("logs/history.csv").open(newline="") as file:
        assert [row["timesteps"] for row in csv.DictReader(file)] == ["0", "1024"]
    assert list(Path("logs").glob("PPO_1/events.out.tfevents.*"))
    record = json.loads(Path("saved/here/measures.json").read_text())
    assert record["settings"]["env_id"] == "Cliff-Slacker-v0"


def test_train_writes_nothing_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, *TINY)
    assert list(Path().iterdir()) == []


def test_train_takes_an_environment_that_a_user_registered(capsys: pytest.CaptureFixture[str]) -> None:
    gym.register("OwnCommandLineTest-v0", entry_point="cliffgym:CliffEnv", kwargs={"scenario": "Cliff-Slacker-v0"})
    try:
        printed = json_output(capsys, "train", "OwnCommandLineTest-v0", "--steps", "1024")
    finally:
        del gym.registry["OwnCommandLineTest-v0"]
    assert printed["settings"]["env_id"] == "OwnCommandLineTest-v0"


# demo


def made_up_results(runs: Any, ledger: Path, description: str) -> list[Result]:
    return [Result({"target_format": 0.5, "true_return": 1.25, "seed_times_ten": 10.0 * run.seed}) for run in runs]


def test_demo_prints_its_tables_and_writes_its_files(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cliffgym_agents.demo.run_all", made_up_results)
    text = output(capsys, "demo", "--seeds", "2", "--output", "here")
    for id in IDS:
        assert (f"\n{id} " in text) == (id != "Cliff-Garnet-v0")  # a random MDP tells no story
    assert re.search(r"^Cliff-Slacker-v0 +1 +1 +1\.5 +2 +2$", text, re.MULTILINE)
    assert re.search(r"^Cliff-Sophistry-v0 +0\.94 +0\.4 +0\.4 +0\.4 +0\.8$", text, re.MULTILINE)
    # ent_coef, bonus, exact: the cliff, then e^(bonus/0.1) / (e^(bonus/0.1) + 3)
    for row in ("0 +-0.05 +0", "0 +0 +0.25", "0 +0.02 +1", "0.1 +-0.05 +0.1682", "0.1 +0.2 +0.7112"):
        assert re.search(rf"^ *{row} +0\.5 +0\.5 +0\.5$", text, re.MULTILINE), row
    assert re.search(r"^incomplete +1\.25 +1\.25 +1\.25$", text, re.MULTILINE)
    assert sorted(path.name for path in Path("here").iterdir()) == ["demo.csv", "demo.png", "demo.svg"]
    with Path("here/demo.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6 * 2 + 2 * 2
    assert all(float(row["seed_times_ten"]) == 10 * int(row["seed"]) for row in rows)
    cliff = {(row["ent_coef"], row["bonus"]) for row in rows if row["env_id"] == "Cliff-TieBreaker-v0"}
    assert len(cliff) == 2 * 6
    assert [row["reward"] for row in rows[-4:]] == ["incomplete", "incomplete", "true", "true"]


@pytest.mark.slow
def test_demo_trains_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--seeds", "1", "--output", "here"]) == 0
    first = capsys.readouterr().out
    assert sorted(path.name for path in Path("here").iterdir()) == ["demo.csv", "demo.png", "demo.svg", *RUNS]
    with Path("here/demo.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6 + 2
    shares = {(float(row["ent_coef"]), float(row["bonus"])): float(row["target_format"]) for row in rows[:12]}
    assert shares[0.0, -0.05] < 0.05
    assert shares[0.0, 0.02] > 0.9
    assert shares[0.1, 0.02] == pytest.approx(np.exp(0.2) / (np.exp(0.2) + 3), abs=0.03)
    assert float(rows[-1]["true_return"]) == pytest.approx(2, rel=0.02)

    before, started = Path("here/runs.sqlite").stat(), time.perf_counter()
    assert main(["demo", "--seeds", "1", "--output", "here"]) == 0
    assert time.perf_counter() - started < 5
    assert capsys.readouterr().out == first
    after = Path("here/runs.sqlite").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


# Errors: one line, and exit status 2


def error_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a command line that fails, whether argparse or the library refuses it."""
    try:
        status: Any = main(arguments)
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.endswith("\n")
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "cliffgym: error: the following arguments are required: COMMAND"),
        (["shw"], "cliffgym: error: argument COMMAND: invalid choice: 'shw'"),
        (["list", "--jsn"], "cliffgym: error: unrecognized arguments: --jsn"),
        (["show"], "cliffgym show: error: the following arguments are required: ID"),
        (["show", "Cliff-Slack-v0"], "id must be one of \"Cliff-Slacker-v0\", .*, got 'Cliff-Slack-v0'"),
        (["show", "Cliff-Slacker-v0", "--set", "problems"], "--set: must have the form name=value, got 'problems'"),
        (["show", "Cliff-Slacker-v0", "--set", "=3"], "--set: must have the form name=value, got '=3'"),
        (["show", "Cliff-Slacker-v0", "--set", "problem=3"], "keyword argument .* \"problems\", .*, got 'problem'"),
        (["show", "Cliff-Slacker-v0", "--set", "problems=0"], "problems must be in .*, got 0"),
        (["show", "Cliff-Slacker-v0", "--set", "problems=many"], "problems must be an integer, got 'many'"),
        (["train", "Cliff-Slack-v0"], "env_id must be registered with Gymnasium, got 'Cliff-Slack-v0'"),
        (["train", "FrozenLake-v1"], "env_id must make a CliffEnv, got 'FrozenLake-v1'"),
        (["train", "nowhere:Cliff-Slacker-v0"], "nowhere"),
        ([*TINY, "--reward", "tru"], 'reward must be one of "incomplete", "true", "lazy", got \'tru\''),
        ([*TINY, "--reward", '{"correct": '], "--reward: must be a name or a JSON object of weights"),
        ([*TINY, "--reward", '{"correct": "much"}'], "weight of 'correct' must be a number, got 'much'"),
        ([*TINY, "--reward", '{"corect": 1}'], "component must be one of \"correct\", .*, got 'corect'"),
        ([*TINY, "--ent-coef", "much"], "--ent-coef must be a number or a text like lin_0.1, got 'much'"),
        ([*TINY, "--ent-coef", "lin_much"], "ent_coef must be .* like \"lin_0.1\", got 'lin_much'"),
        ([*TINY, "--ent-coef=-0.1"], "ent_coef must be >= 0, got -0.1"),
        ([*TINY, "--ent-coef", "nan"], "ent_coef must be finite, got nan"),
        ([*TINY, "--algorithm", "sac"], 'algorithm must be one of "ppo", "a2c", "dqn", .*"grpo", got \'sac\''),
        ([*TINY, "--algorithm", "dqn", "--ent-coef", "0.1"], "ent_coef must be left out for dqn"),
        ([*TINY, "--steps", "0"], "total_timesteps must be >= 1, got 0"),
        ([*TINY, "--steps", "1e5"], "--steps: invalid int value: '1e5'"),
        ([*TINY, "--seed", "-1"], "seed must be in .*, got -1"),
        ([*TINY, "--evaluate-every", "0"], "evaluate_every must be >= 1, got 0"),
        ([*TINY, "--hyper", "learning_speed=1"], "hyperparameter of ppo must be one of .*, got 'learning_speed'"),
        ([*TINY, "--hyper", "learning_rate=fast"], "learning_rate must be a number, .*got 'fast'"),
        ([*TINY, "--hyper", "gamma=0.9"], "gamma belongs to the scenario, got 0.9"),
        ([*TINY, "--set", "reward=lazy"], "reward must be an argument of its own, got 'lazy'"),
        (["demo", "--seeds", "0"], "num_seeds must be >= 1, got 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(message, error_line(capsys, *arguments))


def test_a_folder_that_cannot_be_written_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert main([*TINY, "--json", "--save", "file/folder"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_interruption_has_its_own_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cliffgym.cli.listing.scenario", interrupt)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "cliffgym: interrupted\n"


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Makes imports of `modules` fail, and forgets the agents so that they are imported anew."""
    for name in [name for name in sys.modules if name.split(".")[0] == "cliffgym_agents"]:
        monkeypatch.delitem(sys.modules, name)
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("command", [TINY, ["demo"]], ids=["train", "demo"])
@pytest.mark.parametrize("module", ["stable_baselines3", "sb3_contrib", "yaml", "tqdm"])
def test_a_missing_package_of_the_agents_is_told_with_its_extra(
    module: str, command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, module)
    line = error_line(capsys, *command)
    assert line == (
        f"cliffgym: error: cliffgym_agents needs {module}, which is not installed: pip install 'cliffgym[agents]'"
    )


def test_demo_tells_at_once_that_matplotlib_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cliffgym_agents.demo.run_all", made_up_results)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = error_line(capsys, "demo")
    assert line == "cliffgym: error: figures need matplotlib, which is not installed: pip install 'cliffgym[plots]'"
    assert list(Path().iterdir()) == []


def test_list_and_show_need_no_extra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "stable_baselines3", "torch", "matplotlib", "yaml")
    output(capsys, "list")
    output(capsys, "show", "Cliff-Slacker-v0")


# As programs


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the installed script, or `python -m cliffgym` if the first argument is -m."""
    start = (
        [sys.executable, "-m", "cliffgym"] if arguments[:1] == ("-m",) else [Path(sys.executable).parent / "cliffgym"]
    )
    rest = arguments[1:] if arguments[:1] == ("-m",) else arguments
    return subprocess.run([*start, *rest], capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("start", [[], ["-m"]], ids=["script", "module"])
def test_the_program_prints_its_version_and_the_ids(start: list[str]) -> None:
    done = program(*start, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"cliffgym {cliffgym.__version__}\n", "")
    done = program(*start, "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [entry["id"] for entry in json.loads(done.stdout)] == IDS


def test_the_program_fails_in_one_line() -> None:
    done = program("show", "Cliff-Slack-v0")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_the_program_trains() -> None:
    done = program(*TINY, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["settings"]["total_timesteps"] == 1024


def test_help_explains_every_command() -> None:
    done = program("--help")
    assert done.returncode == 0
    for command in ("list", "show", "train", "demo"):
        assert re.search(rf"^ +{command} +\w", done.stdout, re.MULTILINE)
        assert program(command, "--help").returncode == 0
