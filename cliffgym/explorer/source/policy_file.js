// Files of learned policies, format "cliffgym.policies/1": read and checked. Whatever is wrong is one clear error.

import { listed, shorten } from "./text.js";

const POLICY_FORMAT = "cliffgym.policies/1";
export const MAX_BYTES = 20_000_000;
export const MAX_POLICIES = 2000;
/** How far a row may be off 1: as those of single-precision networks are. */
const ROW_TOLERANCE = 1e-6;
const MAX_DEPTH = 8;
/** Labels and names of rewards are cut to this, since pictures are redrawn with them. */
const LONGEST_KEPT = 1000;

/**
 * Reads the text of a file.
 *
 * @param {string} text
 * @param {Map<string, object>} known By fingerprint: the sizes of scenarios that the page has.
 * @returns {object[]} Policies: `label`, `id`, `parameters`, `fingerprint`, `reward`, `weights` (by component, or
 *   null), `settings`, `variant` (that of its fingerprint, or null) and `table` ((S, A) of that size, or null).
 * @throws {Error} Says which rule the file breaks, with what, and where.
 */
export function readPolicies(text, known) {
  let content;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`must be JSON; the browser says: ${shorten(error.message, 120)}`);
  }
  check(isObject(content), "the file", "an object", content);
  check(content.format === POLICY_FORMAT, "format", JSON.stringify(POLICY_FORMAT), content.format);
  check(Array.isArray(content.policies), "policies", "a list", content.policies);
  const count = content.policies.length;
  check(count >= 1 && count <= MAX_POLICIES, "policies", `a list of 1 to ${MAX_POLICIES} policies`, count);
  return content.policies.map((policy, i) => readPolicy(policy, `policies[${i}]`, known));
}

function readPolicy(policy, place, known) {
  check(isObject(policy), place, "an object", policy);
  for (const name of ["id", "fingerprint", "label", "reward"]) {
    check(typeof policy[name] === "string", `${place}.${name}`, "a text", policy[name]);
  }
  for (const name of ["parameters", "settings"]) {
    check(isObject(policy[name]), `${place}.${name}`, "an object", policy[name]);
    check(isShallow(policy[name], MAX_DEPTH), `${place}.${name}`, `nested at most ${MAX_DEPTH} deep`, policy[name]);
  }
  const variant = known.get(policy.fingerprint) ?? null;
  const table = readTable(policy.policy, `${place}.policy`, variant);
  const { id, fingerprint, parameters, settings } = policy;
  const [label, reward] = [policy.label, policy.reward].map((text) => shorten(text, LONGEST_KEPT));
  const weights = readWeights(policy.weights, `${place}.weights`, variant);
  return { id, fingerprint, label, reward, parameters, settings, weights, variant, table };
}

/** (S, A) rows that sum to 1. Of a size that the page does not have, null: checked is that rows are of one length. */
function readTable(rows, place, variant) {
  check(Array.isArray(rows) && rows.length > 0, place, "a list of rows", rows);
  const states = variant?.states ?? rows.length;
  check(rows.length === states, place, `a list of ${states} rows, one for each state`, rows);
  const width = variant ? variant.actions.length : Array.isArray(rows[0]) ? rows[0].length : 1;
  const table = variant ? new Float64Array(rows.length * width) : null;
  rows.forEach((row, state) => {
    const at = `${place}[${state}]`;
    check(Array.isArray(row) && row.length === width, at, `a list of ${width} probabilities`, row);
    let total = 0;
    row.forEach((chance, a) => {
      check(Number.isFinite(chance) && chance >= 0, `${at}[${a}]`, "a probability, a finite number >= 0", chance);
      total += chance;
    });
    check(Math.abs(total - 1) <= ROW_TOLERANCE, `sum of ${at}`, `1 within ${ROW_TOLERANCE}`, total);
    if (table) row.forEach((chance, a) => { table[state * width + a] = chance / total; });
  });
  return table;
}

/** Weights by component, those not given 0; null where they depend on the state. */
function readWeights(weights, place, variant) {
  if (weights === null) return null;
  check(isObject(weights), place, "an object of numbers by component, or null", weights);
  const names = variant?.components.names;
  for (const [name, weight] of Object.entries(weights)) {
    check(!names || names.includes(name), place, `weights of ${listed(names ?? [])}`, name);
    check(Number.isFinite(weight), `${place}.${shorten(name, 40)}`, "a finite number", weight);
  }
  if (!names) return null;
  return Object.fromEntries(names.map((name) => [name, Object.hasOwn(weights, name) ? weights[name] : 0]));
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Whether lists and objects are nested at most `depth` deep. */
function isShallow(value, depth) {
  if (value === null || typeof value !== "object") return true;
  return depth > 0 && Object.values(value).every((part) => isShallow(part, depth - 1));
}

function check(holds, place, rule, value) {
  if (!holds) throw new Error(`${place} must be ${rule}; got ${described(value)}`);
}

/** A value for a message: what it is, however large. */
function described(value) {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return "an object";
  return shorten(JSON.stringify(value), 60);
}
