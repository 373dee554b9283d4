"""The files of learned policies that `train` and `sweep` export, and that the explorer's page draws."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cliffgym_agents import train
from cliffgym_agents.sweeps import plan_runs, sweep

from cliffgym import optimal, scenario
from cliffgym.cli import main
from cliffgym.explorer import LearnedPolicy, save_policies
from cliffgym.explorer.encoding import fingerprint


def read(path: Path) -> list[dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["format"] == "cliffgym.policies/1"
    return content["policies"]


def test_train_saves_its_policy(tmp_path: Path) -> None:
    result = train("Cliff-TieBreaker-v0", reward="true", env_kwargs={"bonus": 0.02}, total_timesteps=256, seed=3)
    result.save(tmp_path)
    (policy,) = read(tmp_path / "policy.json")
    made = scenario("Cliff-TieBreaker-v0")
    assert (policy["id"], policy["label"], policy["reward"]) == ("Cliff-TieBreaker-v0", "ppo, seed 3", "true")
    assert policy["weights"] == {"correct": 1.0, "target_format": 0.02, "malformed": 0.0}
    assert policy["parameters"]["bonus"] == 0.02
    assert policy["fingerprint"] == fingerprint(made.mdp, made.components)  # another bonus weighs the same tables
    assert policy["settings"]["seed"] == 3
    np.testing.assert_allclose(policy["policy"], result.policy_table, atol=1e-7)


def test_weights_of_the_caller_are_kept(tmp_path: Path) -> None:
    made = scenario("Cliff-Slacker-v0")
    table = optimal(made.mdp, made.reward("true")).policy
    by_state = {"correct": np.ones(made.mdp.num_states)}
    policies = [LearnedPolicy(made, table, "mine", reward) for reward in ({"effort": -0.5}, by_state)]
    save_policies(tmp_path / "two.json", policies)
    first, second = read(tmp_path / "two.json")
    assert first["weights"]["effort"] == -0.5
    assert first["weights"]["correct"] == 0
    assert second["weights"] is None
    with pytest.raises(ValueError, match=r"policy must sum to 1 in each state, got 0.0 at state 0"):
        LearnedPolicy(made, 0 * table, "none", "true").as_json()
    with pytest.raises(ValueError, match=r"reward must be one of .*, got 'nice'"):
        LearnedPolicy(made, table, "none", "nice").as_json()


PLAN = {
    "grids": [
        {
            "scenario": "Cliff-TieBreaker-v0",
            "weights": {"correct": 1, "target_format": [0, 0.1]},
            "algorithm": "soft",
            "hyper": {"temperature": 0.1},
            "keep_policy": True,
        },
        {"scenario": "Cliff-TieBreaker-v0", "algorithm": "optimal"},
    ]
}


def test_sweep_exports_the_policies_that_it_keeps(tmp_path: Path) -> None:
    runs = plan_runs(PLAN)
    assert [run.keep_policy for run in runs] == [True, True, False]
    report = sweep(
        runs, tmp_path / "l.sqlite", workers=1, exports=[tmp_path / "p.json", tmp_path / "t.csv"], progress=False
    )
    assert report.exit_status == 0
    policies = read(tmp_path / "p.json")
    assert [policy["label"] for policy in policies] == ["soft, temperature 0.1, seed 0"] * 2
    assert [policy["weights"]["target_format"] for policy in policies] == [0, 0.1]
    assert (tmp_path / "t.csv").exists()


def test_sweep_refuses_to_export_policies_that_no_run_keeps(tmp_path: Path) -> None:
    runs = plan_runs({"scenario": "Cliff-TieBreaker-v0", "algorithm": "optimal"})
    with pytest.raises(
        ValueError, match=r"p.json needs runs that keep their policies, got none: add keep_policy: true"
    ):
        sweep(runs, tmp_path / "l.sqlite", exports=[tmp_path / "p.json"])
    with pytest.raises(ValueError, match=r'must be one of ".csv", ".parquet", ".json", got'):
        sweep(runs, tmp_path / "l.sqlite", exports=[tmp_path / "p.txt"])
    with pytest.raises(TypeError, match="keep_policy must be"):
        plan_runs({"scenario": "Cliff-TieBreaker-v0", "algorithm": "optimal", "keep_policy": "yes"})
    assert list(tmp_path.iterdir()) == []


def test_command_line_saves_a_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "Cliff-Slacker-v0", "--steps", "256", "--save", str(tmp_path), "--json"]) == 0
    assert read(tmp_path / "policy.json")[0]["id"] == "Cliff-Slacker-v0"
    assert json.loads(capsys.readouterr().out)["settings"]["seed"] == 0
