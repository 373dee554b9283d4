// Exact solvers: sets of optimal actions, soft policies, values of policies, visits. The same definitions, tolerances
// and conventions as the Python package, to which tests hold them.
//
// Acyclic MDPs are solved by backward induction, others by policy iteration.

import { factorise } from "./linear.js";

export const TIE_TOLERANCE = 1e-9;
export const EPSILON = Number.EPSILON;
/** Far more rounds than policy iteration or Newton's method have ever taken on a page. */
const MAX_ROUNDS = 1000;

/** (S, A) the reward Σ_k w_k R_k for weights (K,). */
export function combine(model, weights) {
  const reward = new Float64Array(model.S * model.A);
  model.tables.forEach((table, k) => {
    const weight = weights[k];
    if (weight !== 0) for (let pair = 0; pair < reward.length; pair++) reward[pair] += weight * table[pair];
  });
  return reward;
}

/** The expected value after a pair of state and action, for values (S,). */
function expected({ B, successors, chances }, values, pair) {
  if (B === 1) return values[successors[pair]];
  let sum = 0;
  for (let slot = pair * B; slot < (pair + 1) * B; slot++) sum += chances[slot] * values[successors[slot]];
  return sum;
}

/** (S, A) action values for reward (S, A) and values (S,). */
function backup(model, reward, values) {
  const q = new Float64Array(reward.length);
  for (let pair = 0; pair < q.length; pair++) q[pair] = reward[pair] + model.gamma * expected(model, values, pair);
  return q;
}

/** The largest absolute entry of a table (S, A) over marked pairs. */
export function largest(table, marked) {
  let most = 0;
  for (let pair = 0; pair < table.length; pair++) if (marked[pair]) most = Math.max(most, Math.abs(table[pair]));
  return most;
}

/**
 * Optimal values and sets of optimal actions.
 *
 * @param {object} model
 * @param {Float64Array} reward (S, A)
 * @param {{legal?: Uint8Array, tolerance?: number}} options `legal` (S, A) restricts the actions to choose from;
 *   `tolerance` is the gap up to which actions are tied, absolute; default 1e-9 times the largest reward.
 * @returns {{values: Float64Array, q: Float64Array, gaps: Float64Array, optimalActions: Uint8Array,
 *   expectedReturn: number, tolerance: number}}
 */
export function optimal(model, reward, { legal = model.legal, tolerance = undefined } = {}) {
  const { S, A, terminal, initial } = model;
  const rough = model.order ? backwardValues(model, reward, legal) : policyIteration(model, reward, legal);
  const q = backup(model, reward, rough);
  const values = new Float64Array(S), gaps = new Float64Array(S * A), optimalActions = new Uint8Array(S * A);
  let expectedReturn = 0, magnitude = 0;
  for (let state = 0; state < S; state++) {
    let best = -Infinity;
    for (let pair = state * A; pair < (state + 1) * A; pair++) if (legal[pair] && q[pair] > best) best = q[pair];
    values[state] = terminal[state] ? 0 : best;
    magnitude = Math.max(magnitude, Math.abs(values[state]));
    expectedReturn += initial[state] * values[state];
  }
  const rounding = model.order || model.gamma === 1 ? 0 : 8 * EPSILON * magnitude * (1 + EPSILON / (1 - model.gamma));
  const limit = Math.max(tolerance ?? TIE_TOLERANCE * largest(reward, legal), rounding);
  for (let state = 0; state < S; state++) {
    for (let pair = state * A; pair < (state + 1) * A; pair++) {
      gaps[pair] = terminal[state] ? 0 : legal[pair] ? values[state] - q[pair] : Infinity;
      optimalActions[pair] = gaps[pair] <= limit ? 1 : 0;
    }
  }
  return { values, q, gaps, optimalActions, expectedReturn, tolerance: limit };
}

function backwardValues(model, reward, legal) {
  const { A, gamma, order } = model;
  const values = new Float64Array(model.S);
  for (const state of order) {
    let best = -Infinity;
    for (let pair = state * A; pair < (state + 1) * A; pair++) {
      if (!legal[pair]) continue;
      const q = reward[pair] + gamma * expected(model, values, pair);
      if (q > best) best = q;
    }
    values[state] = best;
  }
  return values;
}

/** An action is left only for one that is better by more than rounding, so that ties cannot make the search cycle. */
function policyIteration(model, reward, legal) {
  const { S, A } = model;
  const actions = new Int32Array(S);
  const bestAction = (q, state) => {
    let best = -1;
    for (let pair = state * A; pair < (state + 1) * A; pair++) {
      if (legal[pair] && (best < 0 || q[pair] > q[best])) best = pair;
    }
    return best - state * A;
  };
  // From where the last search ended: one reward is asked for after another that is close to it.
  const last = model.lastActions;
  for (let state = 0; state < S; state++) {
    actions[state] = last && legal[state * A + last[state]] ? last[state] : bestAction(reward, state);
  }
  const scale = largest(reward, legal);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const policy = deterministic(model, actions);
    const values = policyValues(model, policy, reward);
    const q = backup(model, reward, values);
    const margin = 64 * EPSILON * values.reduce((most, value) => Math.max(most, Math.abs(value)), scale);
    let changed = false;
    for (let state = 0; state < S; state++) {
      const best = bestAction(q, state);
      if (q[state * A + best] > q[state * A + actions[state]] + margin) {
        actions[state] = best;
        changed = true;
      }
    }
    if (changed) continue;
    model.lastActions = actions;
    return values;
  }
  throw new Error("policy iteration does not settle");
}

/** (S, A) the policy that takes `actions` (S,). */
export function deterministic({ S, A }, actions) {
  const policy = new Float64Array(S * A);
  for (let state = 0; state < S; state++) policy[state * A + actions[state]] = 1;
  return policy;
}

/** Σ_a pi(a|s) R(s, a), (S,). */
function collected({ S, A }, policy, reward) {
  const pay = new Float64Array(S);
  for (let pair = 0; pair < policy.length; pair++) pay[(pair / A) | 0] += policy[pair] * reward[pair];
  return pay;
}

/**
 * (S,) values of a policy under a reward (S, A).
 *
 * @param {object} [factors] Of the policy's system, if they are known (cyclic MDPs).
 */
function policyValues(model, policy, reward, factors = null) {
  const pay = collected(model, policy, reward);
  return model.order ? sweepValues(model, policy, pay) : (factors ?? factorise(model, policy)).solve(pay);
}

function sweepValues(model, policy, pay) {
  const { A, gamma, order } = model;
  const values = new Float64Array(model.S);
  for (const state of order) {
    let sum = 0;
    for (let pair = state * A; pair < (state + 1) * A; pair++) {
      if (policy[pair] !== 0) sum += policy[pair] * expected(model, values, pair);
    }
    values[state] = pay[state] + gamma * sum;
  }
  return values;
}

/** State values (S,), action values (S, A) and expected return of a policy under a reward. */
export function evaluate(model, reward, policy, factors = null) {
  const values = policyValues(model, policy, reward, factors);
  return { values, q: backup(model, reward, values), expectedReturn: dot(model.initial, values) };
}

/** (S,) discounted expected visits of each non-terminal state under a policy. */
export function visits(model, policy) {
  const { S, A, B, gamma, terminal, successors, chances, initial, order } = model;
  const start = Float64Array.from(initial, (chance, state) => (terminal[state] ? 0 : chance));
  if (!order) return factorise(model, policy).solveTransposed(start);
  for (let i = order.length - 1; i >= 0; i--) {
    const state = order[i];
    if (start[state] === 0) continue;
    for (let slot = state * A * B; slot < (state + 1) * A * B; slot++) {
      const flow = gamma * start[state] * policy[(slot / B) | 0] * chances[slot];
      if (!terminal[successors[slot]]) start[successors[slot]] += flow;
    }
  }
  return start;
}

/** (S, A) discounted expected uses of each pair of state and action. */
export function occupancy(model, policy) {
  const seen = visits(model, policy);
  return policy.map((chance, pair) => chance * seen[(pair / model.A) | 0]);
}

/** (K,) expected discounted sums of the components under a policy. */
export function expectedComponents(model, policy) {
  const uses = occupancy(model, policy);
  return model.tables.map((table) => dot(table, uses));
}

export function dot(left, right) {
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += left[i] * right[i];
  return sum;
}

/**
 * The policy that is optimal under entropy regularisation, or under a KL penalty to a reference policy.
 *
 * @param {object} model
 * @param {Float64Array} reward (S, A)
 * @param {number} temperature Coefficient of entropy or of the KL divergence, > 0.
 * @param {Float64Array|null} reference (S, A), or null for entropy.
 * @returns {{policy: Float64Array, values: Float64Array, q: Float64Array}}
 */
export function soft(model, reward, temperature, reference = null) {
  const { S, A, legal, terminal } = model;
  const weights = Float64Array.from(legal, (allowed, pair) =>
    (allowed ? (reference ? Math.log(reference[pair]) : 0) : -Infinity));
  const values = model.order
    ? backwardSoftValues(model, reward, temperature, weights)
    : softIteration(model, reward, temperature, weights);
  const q = backup(model, reward, values), policy = new Float64Array(S * A), best = new Float64Array(S);
  for (let state = 0; state < S; state++) {
    const maximum = softMaximum(q, weights, temperature, state * A, A, policy);
    best[state] = terminal[state] ? 0 : maximum;
  }
  return { policy, values: best, q };
}

/**
 * temperature · log Σ exp(q / temperature + log-weight) over one row, whose probabilities are written to `policy`.
 *
 * The largest value is taken out before dividing: at small temperatures the quotients would leave few digits for the
 * differences that matter.
 */
function softMaximum(q, weights, temperature, offset, A, policy) {
  let peak = -Infinity, top = -Infinity, total = 0;
  for (let a = 0; a < A; a++) if (weights[offset + a] > -Infinity) peak = Math.max(peak, q[offset + a]);
  for (let a = 0; a < A; a++) {
    const weight = weights[offset + a];
    policy[offset + a] = weight > -Infinity ? (q[offset + a] - peak) / temperature + weight : -Infinity;
    top = Math.max(top, policy[offset + a]);
  }
  for (let a = 0; a < A; a++) total += policy[offset + a] = Math.exp(policy[offset + a] - top);
  for (let a = 0; a < A; a++) policy[offset + a] /= total;
  return peak + temperature * (top + Math.log(total));
}

function backwardSoftValues(model, reward, temperature, weights) {
  const { A, gamma, order } = model;
  const values = new Float64Array(model.S), q = new Float64Array(A), row = new Float64Array(A), policy = new Float64Array(A);
  for (const state of order) {
    for (let a = 0; a < A; a++) {
      const pair = state * A + a;
      row[a] = weights[pair];
      q[a] = reward[pair] + gamma * expected(model, values, pair);
    }
    values[state] = softMaximum(q, row, temperature, 0, A, policy);
  }
  return values;
}

/**
 * Newton's method on the soft Bellman equation: each step evaluates the current soft policy, regulariser included.
 *
 * It begins where the last one ended: one reward is asked for after another that is close to it.
 */
function softIteration(model, reward, temperature, weights) {
  const { S, A, terminal } = model;
  let values = model.lastSoftValues ?? new Float64Array(S), before = Infinity;
  const scale = largest(reward, model.legal), policy = new Float64Array(S * A);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const q = backup(model, reward, values);
    let residual = 0, magnitude = Math.max(scale, temperature);
    for (let state = 0; state < S; state++) {
      const maximum = softMaximum(q, weights, temperature, state * A, A, policy);
      magnitude = Math.max(magnitude, Math.abs(values[state]));
      if (!terminal[state]) residual = Math.max(residual, Math.abs(maximum - values[state]));
    }
    if (!Number.isFinite(residual)) break;
    const settled = residual <= 16 * EPSILON * magnitude || (before <= residual && residual <= 1e-10 * magnitude);
    // Not before a step: close to gamma = 1, values of another reward may nearly solve the equation and be far off.
    if (settled && round > 0) return (model.lastSoftValues = values);
    before = residual;
    const pay = reward.map((value, pair) =>
      policy[pair] > 0 ? value - temperature * (Math.log(policy[pair]) - weights[pair]) : value);
    values = policyValues(model, policy, pay);
  }
  throw new Error("soft values do not settle");
}

/** (S,) 1 where marked actions (S, A) lead from the start. */
export function reachableBy(model, marked) {
  const { A, B, successors, chances, initial } = model;
  const seen = Uint8Array.from(initial, (chance) => (chance > 0 ? 1 : 0));
  const queue = [];
  seen.forEach((value, state) => { if (value) queue.push(state); });
  while (queue.length) {
    const state = queue.pop();
    for (let slot = state * A * B; slot < (state + 1) * A * B; slot++) {
      const to = successors[slot];
      if (!marked[(slot / B) | 0] || chances[slot] === 0 || seen[to]) continue;
      seen[to] = 1;
      queue.push(to);
    }
  }
  return seen;
}
