"""The page's solvers against the package's, in the browser: every scenario, every reward, 300 settings of each.

Settings are seeded: weights as the reward has them or drawn around them, exactly on a cliff or a hair off it, and
temperatures of the slider's whole range. Both sides take the weights; nothing but numbers is compared.
"""

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

import cliffgym
from cliffgym import Scenario, TabularMDP, optimal, soft
from cliffgym.analysis import cliff_radius, outcome_intervals, phase_diagram, regret_interval, trace_weights
from cliffgym.analysis.weights import with_returns
from cliffgym.explorer import save_explorer, scenario_of_tables
from cliffgym.explorer.views import VIEWS
from cliffgym.solvers import expected_components

SETTINGS = 300
TOLERANCE = 1e-12
HAIR = 1e-6
RULES = ("uniform", "first", "worst", "best")
IDS = list(cliffgym.SCENARIOS)

COMPARE = """
([id, settings, answers]) => {
  const { data, decodeModel, behaviour, soft } = globalThis.cliffgym;
  const entry = data.scenarios.find((each) => each.id === id);
  const model = decodeModel(entry, entry.variants[0]);
  const decode = (text, kind) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new kind(bytes.buffer);
  };
  const far = (name, left, right) => {
    if (left.length !== right.length) return [name, Infinity];
    let most = 0;
    for (let i = 0; i < left.length; i++) most = Math.max(most, Math.abs(left[i] - right[i]));
    return [name, Number.isNaN(most) ? Infinity : most];
  };
  const worst = {};
  settings.forEach((setting, n) => {
    const answer = answers[n];
    const found = behaviour(model, { ...setting, weights: Float64Array.from(setting.weights) });
    const alive = (table) => table.filter((_, pair) => !model.terminal[Math.floor(pair / model.A)]);
    const parts = [
      far("values", found.optimum.values, decode(answer.values, Float64Array)),
      far("policy", alive(found.policy), decode(answer.policy, Float64Array)),
      far("optimal actions", found.optimum.optimalActions, decode(answer.optimal_actions, Uint8Array)),
      far("measures", found.measures, decode(answer.measures, Float64Array)),
    ];
    if (answer.intervals) parts.push(far("intervals", found.intervals.flat(), decode(answer.intervals, Float64Array)));
    for (const [name, distance] of parts) {
      if (!(name in worst) || distance > worst[name][0]) worst[name] = [distance, n];
    }
  });
  return worst;
}
"""


def packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def settings_of(made: Scenario, reward: str) -> list[dict[str, Any]]:
    """Seeded settings around a named reward."""
    rng = np.random.default_rng(zlib.crc32(f"{made.id} {reward}".encode()))
    named = made.components.weights(made.rewards[reward])
    view = VIEWS[made.id]
    moving = made.components.index(view.component)
    cliffs = [point.position for point in trace_weights(made, view.component, *view.line, reward=reward).breakpoints]
    settings = []
    for n in range(SETTINGS):
        weights = named.copy()
        kind = n % 4
        if kind == 1 and cliffs:
            weights[moving] = rng.choice(cliffs)
        elif kind == 2 and cliffs:
            weights[moving] = rng.choice(cliffs) + rng.choice([-HAIR, HAIR])
        elif n:
            weights += rng.normal(scale=0.5, size=weights.size)
        settings.append(setting_of(n, weights, rng))
    return settings


def setting_of(n: int, weights: NDArray[np.float64], rng: np.random.Generator) -> dict[str, Any]:
    """The n-th setting, with these weights: regularisers and tie rules take turns."""
    return {
        "weights": weights.tolist(),
        "regulariser": ("hard", "entropy", "kl")[n % 3],
        "temperature": float(10 ** rng.uniform(-3, 1)),
        "tieRule": RULES[n // 3 % 4],
    }


def trained(made: Scenario, reward: NDArray[np.float64], setting: dict[str, Any]) -> NDArray[np.float64]:
    """The policy of a setting, by the package."""
    if setting["regulariser"] != "hard":
        reference = made.reference if setting["regulariser"] == "kl" else None
        return soft(made.mdp, reward, setting["temperature"], reference).policy
    optimum = optimal(made.mdp, reward)
    if setting["tieRule"] == "uniform":
        return optimum.policy
    if setting["tieRule"] == "first":
        return np.eye(made.mdp.num_actions)[optimum.optimal_actions.argmax(axis=1)]
    interval = regret_interval(made.mdp, reward, made.reward("true"))
    return interval.best_policy if setting["tieRule"] == "best" else interval.worst_policy


def answer(made: Scenario, setting: dict[str, Any], intervals: bool) -> dict[str, str]:
    """What the package says of a setting."""
    weights = np.array(setting["weights"])
    reward = made.components.combine(weights)
    optimum, policy, measures = optimal(made.mdp, reward), trained(made, reward, setting), with_returns(made)
    values = optimum.state_values
    found = {
        "values": packed(values),
        "policy": packed(policy[~made.mdp.terminal]),
        "optimal_actions": packed(optimum.optimal_actions.astype(np.uint8)),
        "measures": packed(np.array(list(expected_components(made.mdp, measures, policy).values()))),
    }
    if intervals:
        ends = outcome_intervals(made.mdp, reward, measures).values()
        found["intervals"] = packed(np.array([(each.low, each.high) for each in ends]).ravel())
    return found


@pytest.mark.parametrize("id", IDS)
def test_solvers_agree(open_page: Any, id: str) -> None:
    """For every reward of the scenario."""
    made, page = cliffgym.scenario(id), open_page(f"#id={id}")
    for reward in made.rewards:
        compare(page, made, settings_of(made, reward))


def compare(page: Page, made: Scenario, settings: list[dict[str, Any]]) -> None:
    """Holds the page's answers to all settings against the package's."""
    answers = [answer(made, setting, n % 10 == 0) for n, setting in enumerate(settings)]
    worst = page.evaluate(COMPARE, [made.id, settings, answers])
    assert set(worst) == {"values", "policy", "optimal actions", "measures", "intervals"}
    wrong = {name: (distance, settings[n]) for name, (distance, n) in worst.items() if not distance < TOLERANCE}
    assert wrong == {}


@pytest.mark.parametrize("cyclic", [False, True])
def test_solvers_agree_on_own_mdps(open_page: Any, tmp_path: Path, cyclic: bool) -> None:
    """What no registered scenario has at once: chance and a discount without cycles, and a reference of its own."""
    rng = np.random.default_rng(5)
    S, A = 9, 3
    kernel = rng.dirichlet(np.ones(S), size=(S, A)) * (rng.random((S, A, S)) < 0.5)
    if not cyclic:
        kernel *= np.arange(S) > np.arange(S)[:, None, None]
    kernel[:, :, -1] += 0.1
    kernel[-1] = np.eye(S)[-1]
    kernel /= kernel.sum(axis=2, keepdims=True)
    legal = rng.random((S, A)) < 0.8
    legal[:, 0] = True
    terminal = np.arange(S) == S - 1
    initial = np.array([0.5, 0.25, 0.25, *np.zeros(S - 3)])
    mdp = TabularMDP.from_dense(kernel, initial, terminal, gamma=0.9, action_mask=legal)
    assert mdp.is_acyclic != cyclic
    tables = [np.where(terminal[:, None], 0, rng.integers(-2, 3, size=(S, A))) for _ in range(3)]
    made = scenario_of_tables("Mine", mdp, tables[0], tables[1], {"other": tables[2]})
    reference = rng.dirichlet(np.ones(A), size=S) * legal
    made = replace(made, reference=reference / reference.sum(axis=1, keepdims=True))
    path = tmp_path / "mine.html"
    save_explorer(path, made)
    weights = [np.array([1.0, 0, 0]), np.zeros(3), *rng.integers(-2, 3, size=(58, 3)).astype(float)]
    compare(open_page(file=path), made, [setting_of(n, each, rng) for n, each in enumerate(weights)])


@pytest.mark.parametrize("id", IDS)
def test_lines_and_planes_agree(open_page: Any, id: str) -> None:
    made, view, page = cliffgym.scenario(id), VIEWS[id], open_page(f"#id={id}")
    for reward in made.rewards:
        line = trace_weights(made, view.component, *view.line, reward=reward)
        found = page.evaluate(
            """([id, reward, component, [start, stop]]) => {
              const { data, decodeModel, namedWeights, combine, traceLine, behaviour, weightRadius } =
                globalThis.cliffgym;
              const entry = data.scenarios.find((each) => each.id === id);
              const model = decodeModel(entry, entry.variants[0]);
              const weights = namedWeights(model, reward);
              const k = model.names.indexOf(component), others = weights.map((weight, i) => (i === k ? 0 : weight));
              const line = traceLine(model, combine(model, others), model.tables[k], start, stop);
              const { segments, breakpoints } = line;
              const settings = { weights, regulariser: "hard", temperature: 1, tieRule: "uniform" };
              return {
                positions: breakpoints.map((point) => point.position),
                states: breakpoints.map((point) => point.states),
                variations: breakpoints.map((point) => point.totalVariation),
                components: segments.map((segment) => [...segment.components]),
                radius: String(weightRadius(model, behaviour(model, settings).optimum)),
              };
            }""",
            [id, reward, view.component, view.line],
        )
        assert found["positions"] == pytest.approx([p.position for p in line.breakpoints], rel=0, abs=TOLERANCE)
        assert found["states"] == [p.states.tolist() for p in line.breakpoints]
        assert found["variations"] == pytest.approx([p.total_variation for p in line.breakpoints], abs=TOLERANCE)
        for mine, theirs in zip(found["components"], line.segments, strict=True):
            expected = [theirs.components[name] for name in made.components.names]
            assert mine == pytest.approx(expected, rel=0, abs=TOLERANCE)
        radius = cliff_radius(made.mdp, made.reward(reward), made.components, reachable_only=True).radius
        assert float(found["radius"].replace("Infinity", "inf")) == pytest.approx(radius, rel=1e-9, abs=TOLERANCE)
    assert cells_of_page(page, id) == pytest.approx(cells_of_package(made), rel=0, abs=1e-8)


def cells_of_package(made: Scenario) -> list[float]:
    """The areas of the phase plane's cells, in order."""
    view = VIEWS[made.id]
    weights = {name: w for name, w in made.rewards[view.reward].items() if name not in view.plane}
    tables = [made.components.combine(weights), *(made.components[name] for name in view.plane)]
    return sorted(cell.area for cell in phase_diagram(made.mdp, tables, view.x, view.y).cells)


def cells_of_page(page: Page, id: str) -> list[float]:
    return page.evaluate(
        """(id) => {
          const { data, decodeModel, namedWeights, combine, phaseDiagram } = globalThis.cliffgym;
          const entry = data.scenarios.find((each) => each.id === id);
          const model = decodeModel(entry, entry.variants[0]);
          const view = entry.view, weights = namedWeights(model, view.reward);
          const axes = view.plane.map((name) => model.names.indexOf(name));
          for (const k of axes) weights[k] = 0;
          const rewards = [combine(model, weights), ...axes.map((k) => model.tables[k])];
          const area = ({ vertices }) => Math.abs(vertices.reduce((sum, [x, y], i) => {
            const [nextX, nextY] = vertices[(i + 1) % vertices.length];
            return sum + x * nextY - y * nextX;
          }, 0) / 2);
          return phaseDiagram(model, rewards, view.x, view.y).map(area).sort((a, b) => a - b);
        }""",
        id,
    )


def test_every_size_is_decoded_as_it_is(open_page: Any) -> None:
    """Optimal values of every size of every scenario, under every reward."""
    page = open_page()
    found = page.evaluate(
        """() => {
          const { data, decodeModel, namedWeights, combine, optimal } = globalThis.cliffgym;
          return data.scenarios.flatMap((entry) => entry.variants.map((variant) => {
            const model = decodeModel(entry, variant);
            const returns = Object.keys(model.rewards).map((name) =>
              [name, optimal(model, combine(model, namedWeights(model, name))).expectedReturn]);
            return { id: entry.id, parameters: variant.parameters, returns: Object.fromEntries(returns) };
          }));
        }"""
    )
    assert len(found) == sum(len(view.variants()) for view in VIEWS.values())
    for size in found:
        made = cliffgym.scenario(size["id"], **size["parameters"])
        expected = {name: optimal(made.mdp, made.reward(name)).expected_return for name in made.rewards}
        assert size["returns"] == pytest.approx(expected, rel=0, abs=TOLERANCE), (size["id"], size["parameters"])


@pytest.mark.parametrize("gamma", [0.9999, 0.999999])
def test_cyclic_mdp_close_to_one(open_page: Any, tmp_path: Path, gamma: float) -> None:
    """A user's own MDP without an end, where a plain solution of the linear system loses four digits, or six."""
    rng = np.random.default_rng(3)
    S, A = 12, 3
    mdp = TabularMDP.from_dense(rng.dirichlet(np.ones(S), size=(S, A)), np.ones(S) / S, np.zeros(S, bool), gamma=gamma)
    made = scenario_of_tables("Mine", mdp, rng.normal(size=(S, A)), components={"other": rng.normal(size=(S, A))})
    path = tmp_path / "mine.html"
    save_explorer(path, made)
    found = open_page(file=path).evaluate(
        """() => {
          const { data, decodeModel, namedWeights, combine, optimal, soft } = globalThis.cliffgym;
          const entry = data.scenarios[0], model = decodeModel(entry, entry.variants[0]);
          const reward = combine(model, namedWeights(model, "incomplete"));
          const best = optimal(model, reward);
          soft(model, reward.map((value) => value + 1e-9), 0.1); // from where it ended, the next one begins
          const softly = [...soft(model, reward, 0.1).values];
          return { values: [...best.values], actions: [...best.optimalActions], soft: softly };
        }"""
    )
    best = optimal(mdp, made.reward("incomplete"))
    softly = soft(mdp, made.reward("incomplete"), 0.1)
    assert found["values"] == pytest.approx(best.state_values.tolist(), rel=TOLERANCE)
    assert found["actions"] == best.optimal_actions.ravel().astype(int).tolist()
    # Rows of a soft policy sum to 1 but for rounding, which 1/(1 - gamma) magnifies in any solution.
    tolerance = max(TOLERANCE, float(np.finfo(float).eps) / (1 - gamma))
    assert found["soft"] == pytest.approx(softly.state_values.tolist(), rel=tolerance)


@pytest.mark.parametrize("gamma", [0.99, 0.9999, 0.999999, 0.9999999])
def test_exact_tie_close_to_one(open_page: Any, tmp_path: Path, gamma: float) -> None:
    """Two ways to be paid 1 for ever. Rounding in the matrix of one of them, magnified, must not tell them apart."""
    kernel = np.zeros((4, 2, 4))
    kernel[0, 0, 1] = kernel[0, 1, 2] = kernel[1, :, 1] = 1
    kernel[2, :, 2:], kernel[3, :, 2:] = (0.25, 0.75), (0.375, 0.625)
    mdp = TabularMDP.from_dense(kernel, [1, 0, 0, 0], np.zeros(4, bool), gamma=gamma)
    made = scenario_of_tables("Mine", mdp, np.ones((4, 2)) * [[0], [1], [1], [1]])
    path = tmp_path / "mine.html"
    save_explorer(path, made)
    found = open_page(file=path).evaluate(
        """() => {
          const { data, decodeModel, optimal } = globalThis.cliffgym;
          const model = decodeModel(data.scenarios[0], data.scenarios[0].variants[0]);
          return [...optimal(model, model.tables[0]).optimalActions];
        }"""
    )
    assert found == [1] * 8
    assert optimal(mdp, made.reward("incomplete")).optimal_actions.all()


def test_settings_hold_ties_and_hairs() -> None:
    """The settings are what they are said to be."""
    made = cliffgym.scenario("Cliff-TieBreaker-v0")
    weights = [setting["weights"][made.components.index("target_format")] for setting in settings_of(made, "true")]
    assert weights.count(0.0) == 75
    assert sum(0 < abs(weight) <= HAIR for weight in weights) == 75
    assert json.loads(json.dumps(weights)) == weights


def test_token_off_the_optimal_path_has_its_own_cliffs(open_page: Any) -> None:
    """On Sophistry, after a research that no optimum does, embellishing pays from a gullibility of 0.8 on."""
    page = open_page("#id=Cliff-Sophistry-v0&state=5&y=here+embellish")
    drawn = page.evaluate(
        """() => {
          const { data, decodeModel, namedWeights, combine, traceLine } = globalThis.cliffgym;
          const entry = data.scenarios.find(({ id }) => id === "Cliff-Sophistry-v0");
          const model = decodeModel(entry, entry.variants[0]), k = model.names.indexOf("fooled");
          const weights = namedWeights(model, "incomplete").map((weight, i) => (i === k ? 0 : weight));
          const line = traceLine(model, combine(model, weights), model.tables[k], 0, 1, 5);
          return line.breakpoints.filter(({ states }) => states.includes(5)).map(({ position }) => position);
        }"""
    )
    made = cliffgym.scenario("Cliff-Sophistry-v0")
    (expected,) = [
        point.position
        for point in trace_weights(made, "fooled", 0, 1, reward="incomplete", reachable_only=False).breakpoints
        if 5 in point.states
    ]
    assert drawn == pytest.approx([expected], abs=TOLERANCE)
    page.get_by_label("Weight of fooled", exact=True).fill("0.85")
    expect(page.locator("#line .sentence")).to_contain_text(f"the nearest cliff is at {expected:.7g}")


def test_policies_are_judged_on_prompts_that_training_leaves_out(open_page: Any) -> None:
    curated = cliffgym.scenario("Cliff-MultiReward-v0", curated=True)
    full = curated.evaluation
    assert full is not None
    interval = regret_interval(full.mdp, curated.reward("incomplete"), full.reward("true"))
    assert interval.left_to_chance > 0.4
    found = open_page("#id=Cliff-MultiReward-v0&curated=true").evaluate(
        """() => {
          const { data, decodeModel, namedWeights, behaviour, state } = globalThis.cliffgym;
          const entry = data.scenarios.find(({ id }) => id === "Cliff-MultiReward-v0");
          const model = decodeModel(entry, entry.variants.find(({ parameters }) => parameters.curated));
          const weights = namedWeights(model, "incomplete");
          const found = behaviour(model, { weights, regulariser: "hard", temperature: 1, tieRule: "uniform" });
          return [...found.intervals.at(-1), found.optimalTrueReturn, found.measures.at(-1)];
        }"""
    )
    expected = [interval.worst, interval.best, interval.optimum, interval.uniform]
    assert found == pytest.approx(expected, abs=TOLERANCE)
