// What is chosen on the page: one plain object that is never changed in place. Everything shown follows from it.

import { REGULARISERS, RETURNS, TIE_RULES } from "./behaviour.js";
import { weightIn } from "./model.js";
import { formatNumber, listed, shorten, sizeText } from "./text.js";

export const TEMPERATURES = [0.001, 10];
/** Weights beyond this would only cost digits. */
const MAX_WEIGHT = 1e6;

/**
 * What a scenario shows first.
 *
 * @param {object} entry The scenario, from the page's data.
 * @returns {object} `id`, `parameters` (a value of each size), `weights` (by component), `regulariser`, `temperature`,
 *   `tieRule`, `prompt` (its place), `selected` (a state or null), `component`, `range`, `measure`, `plane`, `xRange`
 *   and `yRange`.
 */
export function defaultState(entry) {
  const { view, sizes, variants } = entry;
  return {
    id: entry.id,
    parameters: Object.fromEntries(sizes.map(({ name, values }) => [name, values[0]])),
    weights: rewardWeights(variants[0], view.reward),
    regulariser: "hard",
    temperature: Math.min(TEMPERATURES[1], Math.max(TEMPERATURES[0], roundFigure((view.line[1] - view.line[0]) / 5))),
    tieRule: "uniform",
    prompt: 0,
    selected: null,
    component: view.component,
    range: view.line,
    measure: view.measure,
    plane: view.plane,
    xRange: view.x,
    yRange: view.y,
  };
}

/** The weights of a named reward, by component. */
export function rewardWeights(variant, name) {
  const { components: { names }, rewards: { [name]: weights } } = variant;
  return Object.fromEntries(names.map((component) => [component, weightIn(weights, component)]));
}

/** The name of the reward that has just these weights, or null. */
export function rewardOf(variant, weights) {
  const same = (name) => Object.entries(rewardWeights(variant, name)).every(([key, value]) => weights[key] === value);
  return Object.keys(variant.rewards).find(same) ?? null;
}

/** The range with which a component first comes onto an axis or a slider: as the view has it, or around its weight. */
export function firstRange({ view }, weight, component) {
  const ranges = [[view.component, view.line], [view.plane[0], view.x], [view.plane[1], view.y]];
  const known = ranges.find(([name, [low, high]]) => name === component && weight >= low && weight <= high);
  if (known) return known[1];
  const reach = Math.abs(weight) < 1 ? 1 : 2 * Math.abs(weight);
  return [-reach, reach];
}

/** The place of the size with these parameters among the variants, which are in the order of nested loops. */
function variantPlace(entry, parameters) {
  return entry.sizes.reduce((place, { name, values }) =>
    place * values.length + values.findIndex((value) => sizeText(value) === sizeText(parameters[name])), 0);
}

/** The size that a state has chosen. */
export function variantOf(entry, state) {
  return entry.variants[variantPlace(entry, state.parameters)];
}

/**
 * A state with some of its parts replaced.
 *
 * @param {object} data Of the page.
 * @param {object|null} state What holds for the parts that are not given; null for what the scenario shows first.
 * @param {object} parts Some parts of a state; `parameters` and `weights` may be given in part, and `reward`, the name
 *   of one, stands for its weights.
 * @returns {{state: object, problems: string[]}} Parts that are wrong are left as they were, and named in `problems`.
 */
export function withParts(data, state, parts) {
  const problems = [];
  const known = data.scenarios.map((entry) => entry.id);
  let id = state?.id ?? known[0];
  if (parts.id !== undefined && parts.id !== id) {
    if (known.includes(parts.id)) {
      id = parts.id;
      state = null;
    } else problems.push(problem("id", oneOf(known), parts.id));
  }
  const entry = data.scenarios.find((each) => each.id === id);
  const next = { ...(state ?? defaultState(entry)) };
  next.parameters = { ...next.parameters };
  for (const [name, value] of Object.entries(parts.parameters ?? {})) {
    const size = entry.sizes.find((each) => each.name === name);
    const found = size?.values.find((each) => sizeText(each) === sizeText(value));
    if (found !== undefined) next.parameters[name] = found;
    else if (size) problems.push(problem(name, oneOf(size.values.map(sizeText)), value));
    else problems.push(problem("parameters", oneOf(entry.sizes.map((each) => each.name)), name));
  }
  fit(entry, next);
  const rules = rulesFor(variantOf(entry, next), next);
  if (parts.reward !== undefined) take(next, rules, "reward", parts.reward, problems);
  next.weights = { ...next.weights };
  for (const [name, value] of Object.entries(parts.weights ?? {})) {
    if (!Object.hasOwn(next.weights, name)) problems.push(problem("weights", oneOf(Object.keys(next.weights)), name));
    else if (isWeight(value)) next.weights[name] = value;
    else problems.push(problem(`weight of ${name}`, WEIGHT_RULE, value));
  }
  for (const name of Object.keys(rules)) {
    if (name !== "reward" && parts[name] !== undefined) take(next, rules, name, parts[name], problems);
  }
  containWeights(next, parts);
  return { state: next, problems };
}

/** Leaves what a size does not have: prompts, states and tokens differ between sizes. */
function fit(entry, state) {
  const variant = variantOf(entry, state), rules = rulesFor(variant, state), first = defaultState(entry);
  for (const name of ["prompt", "selected", "measure"]) {
    if (!rules[name].holds(state[name])) state[name] = first[name];
  }
}

/**
 * Ranges hold their weights. Where a weight was given, its range is widened; where only a range was given, it is what
 * was asked for and moves the weight to its end.
 */
function containWeights(state, parts) {
  const axes = [[state.component, "range"], [state.plane[0], "xRange"], [state.plane[1], "yRange"]];
  for (const [component, range] of axes) {
    const moved = parts.weights?.[component] !== undefined || parts.reward !== undefined;
    if (parts[range] === undefined || moved) continue;
    const [low, high] = state[range];
    state.weights[component] = Math.min(high, Math.max(low, state.weights[component]));
  }
  for (const [component, range] of axes) {
    const [low, high] = state[range], weight = state.weights[component];
    if (weight < low || weight > high) state[range] = [Math.min(low, weight), Math.max(high, weight)];
  }
}

const WEIGHT_RULE = `a number from -${MAX_WEIGHT} to ${MAX_WEIGHT}`;
const RANGE_RULE = `two numbers from -${MAX_WEIGHT} to ${MAX_WEIGHT}, the second larger`;

/** What each part of a state must be, with a text that says so. */
function rulesFor(variant, state) {
  const { names } = variant.components;
  const measures = [...names, ...RETURNS, ...variant.actions.flatMap((token) => [`uses ${token}`, `here ${token}`])];
  const chosen = (values) => ({ holds: (value) => values.includes(value), text: oneOf(values) });
  const range = { holds: isRange, text: RANGE_RULE };
  const place = (count) => (value) => Number.isInteger(value) && value >= 0 && value < count;
  const alive = (value) => place(variant.states)(value) && !variant.terminal.includes(value);
  return {
    reward: {
      ...chosen(Object.keys(variant.rewards)),
      set: (name) => { state.weights = rewardWeights(variant, name); },
    },
    regulariser: chosen(REGULARISERS),
    temperature: {
      holds: (value) => Number.isFinite(value) && value >= TEMPERATURES[0] && value <= TEMPERATURES[1],
      text: `a number from ${TEMPERATURES[0]} to ${TEMPERATURES[1]}`,
    },
    tieRule: chosen(TIE_RULES),
    prompt: {
      holds: place(variant.prompts.length),
      text: `a whole number from 0 to ${variant.prompts.length - 1}`,
    },
    selected: {
      holds: (value) => value === null || alive(value),
      text: "the number of a state that is not terminal, or null",
    },
    component: chosen(names),
    range,
    measure: {
      holds: (value) => measures.includes(value),
      text: `${oneOf([...names, ...RETURNS])}, uses TOKEN or here TOKEN`,
    },
    plane: {
      holds: (value) => Array.isArray(value) && value.length === 2 && value.every((name) => names.includes(name))
        && (value[0] !== value[1] || names.length === 1),
      text: `two different ones of ${listed(names)}`,
    },
    xRange: range,
    yRange: range,
  };
}

function take(state, rules, name, value, problems) {
  const { holds, text, set = (given) => { state[name] = given; } } = rules[name];
  if (holds(value)) set(value);
  else problems.push(problem(name, text, value));
}

const isWeight = (value) => Number.isFinite(value) && Math.abs(value) <= MAX_WEIGHT;

function isRange(value) {
  if (!Array.isArray(value) || value.length !== 2 || !value.every(isWeight)) return false;
  return value[1] - value[0] > 1e-9 * Math.max(Math.abs(value[0]), Math.abs(value[1]));
}

const oneOf = (values) => `one of ${values.join(", ")}`;

function problem(name, rule, value) {
  const got = typeof value === "number" ? formatNumber(value) : String(JSON.stringify(value));
  return `${shorten(name, 60)} must be ${rule}; got ${shorten(got, 60)}`;
}

/** The nearest of 1, 2 and 5 times a power of ten. */
function roundFigure(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const off = (digit) => Math.abs(Math.log(value / (digit * power)));
  const digit = [1, 2, 5, 10].reduce((best, each) => (off(each) < off(best) ? each : best));
  return Number((digit * power).toPrecision(1));
}
