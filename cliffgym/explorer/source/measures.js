// What is drawn over the weights: a component or return, how often a token is used, or how likely it is in a state.

import { RETURNS, extremes, measureNames, measureTables, withReturns } from "./behaviour.js";
import { dot, occupancy } from "./solver.js";

/**
 * A measure by its name: a component, `incomplete_return`, `true_return`, "uses TOKEN" or "here TOKEN".
 *
 * @param {object} model
 * @param {string} name
 * @param {number} here The state that "here" means.
 * @returns {object} `key` (what tells it from others of the model), `label`, `of(policy)` (its value),
 *   `fromComponents(components)` (the same from a policy's components; null if they do not say), `extremes(marked)`
 *   ([low, high] over all policies over marked actions) `range` (the same over all legal ones),
 *   and `watched` (the one state that it looks at, wherever policies go; or null).
 */
export function makeMeasure(model, name, here) {
  const token = model.tokens.indexOf(name.slice(name.indexOf(" ") + 1));
  if (!model.names.includes(name) && name.startsWith("here ")) return choiceMeasure(model, token, here);
  const place = measureNames(model).indexOf(name);
  const table = place < 0 ? usesTable(model, token) : measureTables(model)[place];
  const between = (marked) => extremes(model, table, marked);
  return {
    key: name,
    label: measureLabel(model, name, here),
    of: (policy) => dot(table, occupancy(model.judged, policy)),
    fromComponents: place < 0 ? null : (components) => withReturns(model, components)[place],
    extremes: between,
    range: between(model.legal),
    watched: null,
  };
}

/** What a measure is called on an axis. */
function measureLabel(model, name, here) {
  if (model.names.includes(name) || RETURNS.includes(name)) return `expected ${name}`;
  const token = name.slice(name.indexOf(" ") + 1);
  if (name.startsWith("here ")) return `P(${token}) at ${model.stateLabels[here]}`;
  return `${model.gamma < 1 ? "discounted uses" : "uses"} of ${token} per trace`;
}

/** (S, A) 1 where a token is used. */
function usesTable({ S, A }, token) {
  return new Float64Array(S * A).map((_, pair) => (pair % A === token ? 1 : 0));
}

function choiceMeasure(model, token, here) {
  const pair = here * model.A + token;
  const between = (marked) => {
    const count = marked.subarray(here * model.A, (here + 1) * model.A).reduce((sum, mark) => sum + mark, 0);
    return [marked[pair] && count === 1 ? 1 : 0, marked[pair]];
  };
  const name = `here ${model.tokens[token]}`;
  return {
    key: `${name} ${here}`,
    label: measureLabel(model, name, here),
    of: (policy) => policy[pair],
    fromComponents: null,
    extremes: between,
    range: [0, 1],
    watched: here,
  };
}
