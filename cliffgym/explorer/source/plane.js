// The plane of two weights, cut into the cells in which the same behaviour is optimal.
//
// A policy's return on R0 + x R1 + y R2 is a plane over (x, y), and the optimal return is the upper envelope of those
// planes. It is found by solving the MDP at the corners of the cells found so far until no corner shows a better policy
// (optimistic linear support; Roijers, Whiteson and Oliehoek, 2015), so borders are exact lines.

import { uniformOver } from "./model.js";
import { TIE_TOLERANCE, dot, evaluate, expectedComponents, largest, optimal } from "./solver.js";
import { factorise } from "./linear.js";
import { finish } from "./steps.js";

const MAX_CELLS = 2000;

/**
 * Cuts a rectangle of weights into cells.
 *
 * @param {object} model
 * @param {Float64Array[]} rewards R0, R1, R2, each (S, A)
 * @param {number[]} xRange First and last x.
 * @param {number[]} yRange First and last y.
 * @returns {object[]} Cells with `vertices` [[x, y], ...], `plane` [c0, c1, c2] of the optimal return, `policy` and
 *   `components` (K,).
 */
export function phaseDiagram(model, rewards, xRange, yRange) {
  return finish(planeSteps(model, rewards, xRange, yRange));
}

/** The same as a generator that pauses after each corner, so that a page can answer in between. */
export function* planeSteps(model, rewards, [x0, x1], [y0, y1]) {
  const rectangle = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  const sizes = rewards.map((table) => largest(table, model.legal));
  const reach = [1, Math.max(Math.abs(x0), Math.abs(x1)), Math.max(Math.abs(y0), Math.abs(y1))];
  const flat = TIE_TOLERANCE * Math.max(dot(sizes, reach), Number.MIN_VALUE);
  const span = [x1 - x0, y1 - y0], middle = [(x0 + x1) / 2, (y0 + y1) / 2];
  const cells = [], known = new Set();
  let pending = [...rectangle];
  while (pending.length) {
    const corner = pending.pop(), key = pointKey(corner, span);
    if (known.has(key)) continue;
    known.add(key);
    yield;
    const inwards = [middle[0] - corner[0], middle[1] - corner[1]];
    const policy = policyBeside(model, rewards, sizes, corner, inwards);
    const factors = model.order ? null : factorise(model, policy);
    const plane = rewards.map((table) => evaluate(model, table, policy, factors).expectedReturn);
    const height = (other) => other[0] + other[1] * corner[0] + other[2] * corner[1];
    if (cells.length && height(plane) <= Math.max(...cells.map((cell) => height(cell.plane))) + flat) continue;
    let polygon = rectangle;
    for (const cell of cells) {
      cell.polygon = clip(cell.polygon, minus(cell.plane, plane), flat, true);
      polygon = clip(polygon, minus(plane, cell.plane), flat, false);
    }
    cells.push({ polygon, plane, policy });
    if (cells.length > MAX_CELLS) throw new Error(`more than ${MAX_CELLS} cells`);
    pending = cells.flatMap((cell) => cell.polygon).filter((vertex) => !known.has(pointKey(vertex, span)));
  }
  return cells
    .map(({ polygon, plane, policy }) => ({ vertices: corners(polygon, span), plane, policy }))
    .filter((cell) => cell.vertices.length >= 3)
    .map((cell) => ({ ...cell, components: expectedComponents(model.judged, cell.policy) }));
}

const minus = (left, right) => left.map((value, i) => value - right[i]);

/** A point as what it is up to rounding, so that no corner is solved twice. */
function pointKey(point, span) {
  return point.map((value, i) => Math.round((value / span[i]) * 1e11)).join(" ");
}

/** The corners of a polygon without those that rounding made of one where several cells meet. */
function corners(polygon, span) {
  return polygon.filter((point, i) => {
    const before = polygon[(i + polygon.length - 1) % polygon.length];
    return point.some((value, axis) => Math.abs(value - before[axis]) > 1e-11 * span[axis]);
  });
}

/** A policy that is optimal at a point and just beside it: ties are broken for a step inwards, then to the side. */
function policyBeside(model, rewards, sizes, point, inwards) {
  const centre = inwards[0] === 0 && inwards[1] === 0;
  const across = centre ? [0, 1] : [-inwards[1], inwards[0]];
  const steps = [[1, ...point], [0, ...(centre ? [1, 0] : inwards)], [0, ...across]];
  let legal = model.legal;
  for (const weights of steps) {
    const reward = new Float64Array(model.S * model.A);
    rewards.forEach((table, i) => {
      if (weights[i] !== 0) for (let pair = 0; pair < reward.length; pair++) reward[pair] += weights[i] * table[pair];
    });
    // Relative to the tables, not to their sum: where they cancel, rounding must not break ties.
    const tolerance = TIE_TOLERANCE * dot(weights.map(Math.abs), sizes);
    legal = optimal(model, reward, { legal, tolerance }).optimalActions;
  }
  return uniformOver(model, legal);
}

/** The part of a convex polygon in which `lead`, one plane less another, is not negative (Sutherland and Hodgman). */
function clip(polygon, lead, flat, keepTies) {
  if (!polygon.length) return polygon;
  const heights = polygon.map(([x, y]) => lead[0] + lead[1] * x + lead[2] * y);
  if (heights.every((height) => height >= -flat) && (keepTies || Math.max(...heights) > flat)) return polygon;
  const kept = [];
  polygon.forEach((point, i) => {
    const j = (i + 1) % polygon.length;
    if (heights[i] >= 0) kept.push(point);
    if (heights[i] >= 0 !== heights[j] >= 0) {
      const share = heights[i] / (heights[i] - heights[j]);
      kept.push(point.map((value, axis) => value + share * (polygon[j][axis] - value)));
    }
  });
  return kept;
}
