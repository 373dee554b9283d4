// Where learned policies stand on axes of weights, and which of them have no place there.

import { listed, plural } from "./text.js";

const NOWHERE = [];

/** Weights that differ by less are the same: those in files have been through other programs. */
const SAME_WEIGHT = 1e-9;

/** Learned policies with a place on axes of weights: `x`, `y` (or the measure), `label`, `matches` and `selected`. */
export function learnedOn({ learned, model, state, stages }, axes) {
  const values = stages.learned.value;
  if (!values || !learned.policies.length) return NOWHERE;
  return learned.of(model).filter((policy) => policy.weights && values.has(policy)).map((policy) => ({
    x: policy.weights[axes[0]],
    y: axes.length > 1 ? policy.weights[axes[1]] : values.get(policy),
    label: policy.label,
    matches: matchesElsewhere(policy, state, axes),
    selected: policy === learned.selected,
  }));
}

/** Whether the weights of a policy are those that are shown, but for those on axes. */
function matchesElsewhere({ weights }, state, axes) {
  return Object.keys(weights)
    .every((name) => axes.includes(name) || Math.abs(weights[name] - state.weights[name]) <= SAME_WEIGHT);
}

/**
 * How many of the policies that were learned on what is shown are not drawn over axes of weights, and why; empty if all
 * are.
 *
 * @param {object} scene
 * @param {Object<string, number[]>} ranges Of the axes, by the names of their components.
 * @param {boolean} onlyMatching Whether only those are drawn that have the other weights that are shown.
 */
export function undrawnSentence({ learned, model, state }, ranges, onlyMatching) {
  const policies = learned.of(model), axes = Object.keys(ranges), counts = new Map();
  const isOutside = ({ weights }) => Object.entries(ranges)
    .some(([name, [low, high]]) => weights[name] < low || weights[name] > high);
  for (const policy of policies) {
    let why = null;
    if (!policy.weights) why = "with weights that depend on the state";
    else if (isOutside(policy)) why = "outside of what is drawn";
    else if (onlyMatching && !matchesElsewhere(policy, state, axes)) why = "with other weights than those shown";
    if (why) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  if (!counts.size) return "";
  const missing = [...counts.values()].reduce((sum, count) => sum + count);
  const whys = listed([...counts].map(([why, count]) => `${count} ${why}`));
  return `Of ${plural(policies.length, "learned policy", "learned policies")} ${missing} `
    + `${missing === 1 ? "is" : "are"} not drawn here: ${whys}.`;
}
