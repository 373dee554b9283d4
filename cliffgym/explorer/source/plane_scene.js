// What the phase plane shows: cells of equal behaviour, and what a measure is in each.

import { planeSteps } from "./plane.js";
import { readOptimum } from "./line_scene.js";
import { combine } from "./solver.js";
import { formatNumber } from "./text.js";

/** The cells of the plane of the two chosen weights, in steps; see `phaseDiagram`. */
export function tracedPlane(model, weights, state) {
  const [x, y] = state.plane.map((name) => model.names.indexOf(name));
  const others = weights.map((weight, k) => (k === x || k === y ? 0 : weight));
  return planeSteps(model, [combine(model, others), model.tables[x], model.tables[y]], state.xRange, state.yRange);
}

/** What a measure is in each cell, in steps, as the picture of the plane takes it; null without cells. */
export function* cellReadings(model, state, measure, cells) {
  if (!cells) return null;
  const readings = [];
  for (const { vertices, plane, policy, components } of cells) {
    const optimalActions = Uint8Array.from(policy, (chance) => (chance > 0 ? 1 : 0));
    const value = readOptimum(model, measure, optimalActions, components, state.tieRule);
    readings.push({ vertices, plane, value, label: formatNumber(value, 3) });
    yield;
  }
  return readings;
}
