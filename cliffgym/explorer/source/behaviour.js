// What a reward makes an agent do: its policy under the chosen regulariser or tie rule, and what that policy is worth.

import { factorise } from "./linear.js";
import { uniformOver, weightIn } from "./model.js";
import {
  EPSILON, combine, deterministic, dot, evaluate, expectedComponents, optimal, reachableBy, soft,
} from "./solver.js";

export const REGULARISERS = ["hard", "entropy", "kl"];
export const TIE_RULES = ["uniform", "first", "worst", "best"];
/** The two returns that every scenario has, beside its components, and the rewards that they are of. */
export const RETURNS = ["incomplete_return", "true_return"];
const RETURN_REWARDS = ["incomplete", "true"];

/** (K,) the weights of a named reward. */
export function namedWeights({ names, rewards }, name) {
  return Float64Array.from(names, (component) => weightIn(rewards[name], component));
}

/** The names of all that can be measured of a policy: K components and the two returns. */
export function measureNames(model) {
  return [...model.names, ...RETURNS];
}

/** The K components of a policy, and the two returns that they come to. */
export function withReturns(model, components) {
  const returns = RETURN_REWARDS.map((name) => dot(namedWeights(model, name), components));
  return Float64Array.from([...components, ...returns]);
}

const knownTables = new WeakMap(), knownReturns = new WeakMap();

/** The table (S, A) of each of `measureNames`. */
export function measureTables(model) {
  if (!knownTables.has(model)) {
    const returns = RETURN_REWARDS.map((name) => combine(model.judged, namedWeights(model, name)));
    knownTables.set(model, [...model.judged.tables, ...returns]);
  }
  return knownTables.get(model);
}

/** The most that any policy gets of the true reward. */
function optimalTrueReturn(model) {
  if (!knownReturns.has(model)) knownReturns.set(model, optimal(model.judged, measureTables(model).at(-1)).expectedReturn);
  return knownReturns.get(model);
}

/**
 * The policy of an agent that is trained with a reward to the end.
 *
 * @param {object} model
 * @param {Float64Array} reward (S, A)
 * @param {{regulariser: string, temperature: number, tieRule: string}} settings
 * @param {object} [optimum] Of that reward, if it is known.
 * @returns {Float64Array} (S, A)
 */
export function trainedPolicy(model, reward, { regulariser, temperature, tieRule }, optimum = null) {
  if (regulariser === "entropy") return soft(model, reward, temperature).policy;
  if (regulariser === "kl") return soft(model, reward, temperature, model.reference).policy;
  const { optimalActions } = optimum ?? optimal(model, reward);
  if (tieRule === "uniform") return uniformOver(model, optimalActions);
  if (tieRule === "first") {
    const actions = Int32Array.from({ length: model.S }, (_, state) =>
      optimalActions.subarray(state * model.A, (state + 1) * model.A).indexOf(1));
    return deterministic(model, actions);
  }
  const meant = measureTables(model).at(-1);
  const extreme = tieRule === "best" ? meant : meant.map((value) => 0 - value);
  return uniformOver(model, optimal(model, extreme, { legal: optimalActions }).optimalActions);
}

/**
 * All that the page says about one setting.
 *
 * @param {object} model
 * @param {{weights: Float64Array, regulariser: string, temperature: number, tieRule: string}} settings
 * @returns {object} `reward`, `optimum` (see `optimal`), `policy`, `measures` (components and returns of the policy),
 *   `intervals` ([low, high] of each measure over all policies optimal for the reward), and `optimalTrueReturn`.
 */
export function behaviour(model, settings) {
  const reward = combine(model, settings.weights);
  const optimum = optimal(model, reward);
  const policy = trainedPolicy(model, reward, settings, optimum);
  return {
    reward,
    optimum,
    policy,
    measures: withReturns(model, expectedComponents(model.judged, policy)),
    intervals: measureTables(model).map((table) => extremes(model, table, optimum.optimalActions)),
    optimalTrueReturn: optimalTrueReturn(model),
  };
}

/** [least, most] of each measure over all policies over legal actions: the scale of its bar. */
export function possible(model) {
  return measureTables(model).map((table) => extremes(model, table, model.legal));
}

/** [low, high] of the expected sum of a table over all policies over marked actions. */
export function extremes(model, table, legal) {
  const low = 0 - optimal(model.judged, table.map((value) => 0 - value), { legal }).expectedReturn;
  return [low, optimal(model.judged, table, { legal }).expectedReturn];
}

/**
 * The distance to the nearest cliff when all weights may move: the largest change of a single weight below which the
 * optimal policy, where some trace comes, stays the same. 0 at a tie that some weight can break, infinite without a cliff.
 */
export function weightRadius(model, optimum) {
  const { S, A, legal, terminal, tables } = model;
  const actions = Int32Array.from({ length: S }, (_, state) => {
    let best = state * A;
    for (let pair = best; pair < (state + 1) * A; pair++) if (optimum.gaps[pair] < optimum.gaps[best]) best = pair;
    return best - state * A;
  });
  const policy = deterministic(model, actions), factors = model.order ? null : factorise(model, policy);
  const norms = new Float64Array(S * A);
  for (const table of tables) {
    const { q, values } = evaluate(model, table, policy, factors);
    for (let pair = 0; pair < norms.length; pair++) norms[pair] += Math.abs(q[pair] - values[(pair / A) | 0]);
  }
  const steps = new Float64Array(S * A).map((_, pair) => (terminal[(pair / A) | 0] ? 0 : 1));
  const horizon = 1 + Math.max(...evaluate(model, steps, policy, factors).values);
  const total = tables.reduce((sum, table) => sum + table.reduce((most, v) => Math.max(most, Math.abs(v)), 0), 0);
  const rounding = 64 * EPSILON * horizon * total;
  const reached = reachableBy(model, legal);
  let radius = Infinity;
  for (let pair = 0; pair < norms.length; pair++) {
    const state = (pair / A) | 0;
    if (terminal[state] || !legal[pair] || !reached[state] || pair === state * A + actions[state]) continue;
    if (norms[pair] <= rounding) continue; // what no weight moves is no cliff over weights
    radius = Math.min(radius, optimum.gaps[pair] <= optimum.tolerance ? 0 : optimum.gaps[pair] / norms[pair]);
  }
  return radius;
}

/** R0 and D of the line on which the weight of component `k` moves and the others stay. */
export function weightLine(model, weights, k) {
  const others = Float64Array.from(weights);
  others[k] = 0;
  return { base: combine(model, others), direction: model.tables[k] };
}
