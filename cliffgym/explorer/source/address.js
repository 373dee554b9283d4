// A state as the fragment of the page's address, for people to read, and back.

import { defaultState, rewardOf, variantOf, withParts } from "./state.js";
import { shorten, sizeText } from "./text.js";

/** How the parts of a state are written that are one value each, and how they are read. */
const SINGLE = {
  reward: ["reward", String],
  mode: ["regulariser", String],
  temperature: ["temperature", toNumber],
  ties: ["tieRule", String],
  prompt: ["prompt", toNumber],
  state: ["selected", toNumber],
  x: ["component", String],
  y: ["measure", String],
};
/** The parts that are two values each. */
const PAIRS = {
  range: [["from", "to"], toNumber],
  plane: [["plane.x", "plane.y"], String],
  xRange: [["plane.x.from", "plane.x.to"], toNumber],
  yRange: [["plane.y.from", "plane.y.to"], toNumber],
};
const KEYS = new Set(["id", ...Object.keys(SINGLE), ...Object.values(PAIRS).flatMap(([keys]) => keys)]);

/**
 * The fragment of a state, without "#".
 *
 * The scenario, its sizes, the reward and how the agent is regularised are always written. What is only looked at is
 * left out where it is what the scenario shows first.
 */
export function fragmentOf(data, state) {
  const entry = data.scenarios.find((each) => each.id === state.id), first = defaultState(entry);
  const pairs = [["id", state.id]];
  for (const { name } of entry.sizes) pairs.push([sizeKey(name), sizeText(state.parameters[name])]);
  const reward = rewardOf(variantOf(entry, state), state.weights);
  if (reward !== null) pairs.push(["reward", reward]);
  else for (const [name, weight] of Object.entries(state.weights)) pairs.push([`w.${name}`, weight]);
  pairs.push(["mode", state.regulariser], ["temperature", state.temperature], ["ties", state.tieRule]);
  const isNew = (part) => JSON.stringify(state[part]) !== JSON.stringify(first[part]);
  for (const key of ["prompt", "state", "x", "y"]) {
    const [part] = SINGLE[key];
    if (isNew(part)) pairs.push([key, state[part]]);
  }
  for (const [part, [keys]] of Object.entries(PAIRS)) {
    if (isNew(part)) keys.forEach((key, i) => pairs.push([key, state[part][i]]));
  }
  return pairs.map((pair) => pair.map(escaped).join("=")).join("&");
}

/**
 * Reads a fragment.
 *
 * @param {object} data Of the page.
 * @param {string} fragment With or without "#".
 * @returns {{state: object, problems: string[]}} What could not be read is what the scenario shows first.
 */
export function readFragment(data, fragment) {
  const problems = [], values = new Map();
  for (const [key, value] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    if (values.has(key)) problems.push(`the address has ${JSON.stringify(shorten(key, 60))} twice; the last counts`);
    values.set(key, value);
  }
  const first = withParts(data, null, { id: values.get("id") });
  const entry = data.scenarios.find((each) => each.id === first.state.id);
  const weights = [...values].filter(([key]) => key.startsWith("w."));
  const parts = {
    id: first.state.id,
    parameters: {},
    // Defined, not assigned, whatever they are called.
    weights: Object.fromEntries(weights.map(([key, value]) => [key.slice(2), toNumber(value)])),
  };
  for (const [key, [part, read]] of Object.entries(SINGLE)) if (values.has(key)) parts[part] = read(values.get(key));
  for (const [part, [keys, read]] of Object.entries(PAIRS)) {
    if (!keys.some((key) => values.has(key))) continue;
    parts[part] = keys.map((key, i) => (values.has(key) ? read(values.get(key)) : first.state[part][i]));
  }
  for (const [key, value] of values) {
    const size = entry.sizes.find(({ name }) => sizeKey(name) === key);
    if (size) parts.parameters[size.name] = value;
    else if (!KEYS.has(key) && !key.startsWith("w.")) problems.push(`the address has an unknown key, ${JSON.stringify(shorten(key, 60))}`);
  }
  const { state, problems: wrong } = withParts(data, null, parts);
  return { state, problems: [...problems, ...first.problems, ...wrong] };
}

/** The key of a size; one that is called like another key has "size." before it. */
function sizeKey(name) {
  return KEYS.has(name) || name.startsWith("w.") ? `size.${name}` : name;
}

/** A number, or the text itself where there is none, so that a message can name it. */
function toNumber(text) {
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** Escaped as a part of a fragment, with what is harmless there left readable. */
function escaped(value) {
  return encodeURIComponent(value).replaceAll("%20", "+").replaceAll("%2C", ",").replaceAll("%3A", ":");
}
