// Every cliff along a line of rewards R(t) = R0 + t D, exactly: parametric policy iteration, no grid.
//
// The values of a fixed policy are linear in t, so the policy that is optimal just after some t stays optimal until the
// first t at which one of its advantages, linear as well, reaches zero.

import { uniformOver } from "./model.js";
import { EPSILON, TIE_TOLERANCE, evaluate, expectedComponents, largest, optimal, reachableBy } from "./solver.js";
import { factorise } from "./linear.js";
import { finish } from "./steps.js";

const MAX_SEGMENTS = 20_000;

/**
 * Finds every t in (start, stop) at which optimal behaviour changes.
 *
 * @param {object} model
 * @param {Float64Array} reward (S, A) R0
 * @param {Float64Array} direction (S, A) D, not all zeros
 * @param {number} start
 * @param {number} stop
 * @param {number|null} watched A state in which changes count although no optimal policy may reach it.
 * @returns {{segments: object[], breakpoints: object[]}} Segments with `start`, `stop`, `optimalActions`, `policy`
 *   (ties broken uniformly) and `components` (K,); breakpoints with `position`, `states` and `totalVariation`, one fewer.
 *   Else a change counts only in states that an optimal policy reaches just before or just after it.
 */
export function traceLine(model, reward, direction, start, stop, watched = null) {
  return finish(lineSteps(model, reward, direction, start, stop, watched));
}

/** The same as a generator that pauses after each segment, so that a page can answer in between. */
export function* lineSteps(model, reward, direction, start, stop, watched = null) {
  const tracer = { model, reward, direction, level: largest(reward, model.legal), speed: largest(direction, model.legal) };
  let last = segmentFrom(tracer, start, stop);
  const segments = [last], breakpoints = [];
  for (let count = 0; last.stop < stop; count++) {
    yield;
    if (count === MAX_SEGMENTS) throw new Error(`more than ${MAX_SEGMENTS} breakpoints`);
    const before = last;
    last = segmentFrom(tracer, last.stop, stop);
    const point = compare(model, before, last, watched);
    if (point) {
      segments.push(last);
      breakpoints.push(point);
    } else {
      segments[segments.length - 1] = { ...segments[segments.length - 1], stop: last.stop };
    }
  }
  for (const segment of segments) segment.components = expectedComponents(model.judged, segment.policy);
  return { segments, breakpoints };
}

/** The segment that begins at `start`. Just after it, optimal is what is optimal there and best for the direction. */
function segmentFrom({ model, reward, direction, level, speed }, start, stop) {
  const here = reward.map((value, pair) => value + start * direction[pair]);
  const tied = tiedActions(model, here, model.legal, level + Math.abs(start) * speed);
  let actions = tiedActions(model, direction, tied, speed);
  // Far from t = 0 the tolerance at `start` may hide what R0 still tells apart.
  actions = tiedActions(model, reward, actions, level);
  const policy = uniformOver(model, actions);
  const factors = model.order ? null : factorise(model, policy);
  const base = evaluate(model, reward, policy, factors), slope = evaluate(model, direction, policy, factors);
  const noise = [base, slope].map(({ q }) => 64 * EPSILON * largest(q, model.legal));
  const rising = [];
  let firstEnd = Infinity;
  for (let pair = 0; pair < actions.length; pair++) {
    const state = (pair / model.A) | 0;
    if (tied[pair] || !model.legal[pair] || model.terminal[state]) continue;
    const rise = slope.q[pair] - slope.values[state];
    if (!(rise > noise[1])) continue;
    // From R0 and D directly, so that rounding does not add up from point to point.
    const zero = 0 - (base.q[pair] - base.values[state]) / rise;
    const error = (noise[0] + Math.abs(zero) * noise[1]) / rise;
    rising.push({ zero, error });
    firstEnd = Math.min(firstEnd, zero + error);
  }
  let end = stop;
  if (rising.length) {
    // Where several advantages vanish at one point, the one that rises fastest says best where that is.
    let best = null;
    for (const each of rising) {
      if (each.zero - each.error <= firstEnd && (best === null || each.error < best.error)) best = each;
    }
    const zero = Math.abs(best.zero) <= best.error ? 0 : best.zero;
    if (zero < stop - 1e-12 * Math.max(Math.abs(start), Math.abs(stop))) end = Math.max(zero, nextUp(start));
  }
  return { start, stop: end, optimalActions: actions, policy };
}

/** (S, A) the actions whose gap is within the tolerance at this scale. */
function tiedActions(model, reward, legal, scale) {
  return optimal(model, reward, { legal, tolerance: TIE_TOLERANCE * scale }).optimalActions;
}

/** The breakpoint between two segments, or null if no state that counts has changed. */
function compare(model, before, after, watched) {
  const { S, A, terminal } = model;
  const changed = [];
  for (let state = 0; state < S; state++) {
    if (terminal[state]) continue;
    for (let pair = state * A; pair < (state + 1) * A; pair++) {
      if (before.optimalActions[pair] !== after.optimalActions[pair]) {
        changed.push(state);
        break;
      }
    }
  }
  if (!changed.length) return null;
  const reached = [before, after].map((segment) => reachableBy(model, segment.optimalActions));
  const states = changed.filter((state) => state === watched || reached[0][state] || reached[1][state]);
  if (!states.length) return null;
  let totalVariation = 0;
  for (const state of states) totalVariation = Math.max(totalVariation, distance(before.policy, after.policy, state, A));
  return { position: after.start, states, totalVariation };
}

/** Total variation between two policies in a state. */
export function distance(left, right, state, A) {
  let sum = 0;
  for (let pair = state * A; pair < (state + 1) * A; pair++) sum += Math.abs(left[pair] - right[pair]);
  return sum / 2;
}

/** The next larger double. */
function nextUp(x) {
  if (x === 0) return Number.MIN_VALUE;
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  bits.setBigInt64(0, bits.getBigInt64(0) + (x > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}
