// What the cliff line shows: exact steps, what is tied at each cliff, and soft curves.

import { weightLine, trainedPolicy } from "./behaviour.js";
import { lineSteps } from "./line.js";
import { TIE_TOLERANCE, combine, largest, optimal } from "./solver.js";
import { TEMPERATURES } from "./state.js";
import { formatNumber } from "./text.js";

/** Temperatures of the soft curves beside the chosen one, as multiples of it. */
const FACTORS = [0.2, 1, 5];
const FIRST_POINTS = 33;
const MAX_POINTS = 200;
/** Share of the measure's scale that a curve may rise between two of its points. */
const MAX_RISE = 1 / 40;

/**
 * The exact line of the chosen weight, in steps; see `traceLine`. It goes on beyond the range that is drawn by as much
 * again on each side: so those on the very ends are found, and the nearest cliff is mostly known if none is drawn.
 */
export function tracedLine(model, weights, state, watched) {
  const { base, direction } = weightLine(model, weights, model.names.indexOf(state.component));
  const [low, high] = state.range;
  return lineSteps(model, base, direction, low - (high - low), high + (high - low), watched);
}

/**
 * What a measure is along a traced line, in steps.
 *
 * @param {object} model
 * @param {Float64Array} weights (K,)
 * @param {object} state
 * @param {object} measure
 * @param {object|null} line Of `tracedLine`.
 * @returns {Generator} Returns `segments` and `breakpoints` of the range that is drawn, as the picture takes them, and
 *   `cliffs`, the positions of all breakpoints of the line, with its ends, `traced`; null without a line.
 */
export function* lineReadings(model, weights, state, measure, line) {
  if (!line) return null;
  const { base, direction } = weightLine(model, weights, model.names.indexOf(state.component));
  const sizes = [base, direction].map((table) => largest(table, model.legal));
  const [low, high] = state.range, segments = [], breakpoints = [];
  const cliffs = line.breakpoints.map(({ position }) => cleanPosition(position));
  for (const { start, stop, optimalActions, components } of line.segments) {
    const [first, last] = [Math.max(low, cleanPosition(start)), Math.min(high, cleanPosition(stop))];
    if (first >= last) continue;
    const y = readOptimum(model, measure, optimalActions, components, state.tieRule);
    segments.push({ start: first, stop: last, y });
    yield;
  }
  for (const [i, { states, totalVariation }] of line.breakpoints.entries()) {
    const position = cliffs[i];
    if (position < low || position > high) continue;
    const reward = base.map((value, pair) => value + position * direction[pair]);
    // As the line was traced: where base and direction cancel, rounding must not break the tie.
    const tolerance = TIE_TOLERANCE * (sizes[0] + Math.abs(position) * sizes[1]);
    const { optimalActions } = optimal(model, reward, { tolerance });
    const [least, most] = measure.extremes(optimalActions);
    const y = measure.of(tieBroken(model, optimalActions, state.tieRule));
    breakpoints.push({ position, low: least, high: most, y, states, totalVariation });
    yield;
  }
  return { segments, breakpoints, cliffs, traced: [line.segments[0].start, line.segments.at(-1).stop] };
}

/** A measure of the optimum that a tie rule chooses; `components` are those of the uniform one. */
export function readOptimum(model, measure, optimalActions, components, tieRule) {
  if (tieRule === "uniform" && measure.fromComponents) return measure.fromComponents(components);
  return measure.of(tieBroken(model, optimalActions, tieRule));
}

/** The policy over marked actions that a tie rule chooses. */
function tieBroken(model, optimalActions, tieRule) {
  return trainedPolicy(model, null, { regulariser: "hard", temperature: 0, tieRule }, { optimalActions });
}

/** A position without the last digits, which rounding made; within the tolerance of ties it is the same point. */
function cleanPosition(position) {
  return Number(position.toPrecision(12));
}

/** Soft curves around the chosen temperature, in steps, as the picture of the line takes them. */
export function* softCurves(model, weights, state, measure) {
  const { base, direction } = weightLine(model, weights, model.names.indexOf(state.component));
  const regulariser = state.regulariser === "kl" ? "kl" : "entropy";
  const name = regulariser === "kl" ? "kl_coef" : "temperature";
  const curves = [];
  for (const temperature of temperaturesAround(state.temperature)) {
    const valueAt = (weight) => {
      const reward = base.map((value, pair) => value + weight * direction[pair]);
      return measure.of(trainedPolicy(model, reward, { regulariser, temperature, tieRule: state.tieRule }, {}));
    };
    const points = yield* sampled(valueAt, state.range, measure.range[1] - measure.range[0]);
    const current = state.regulariser !== "hard" && temperature === state.temperature;
    curves.push({ temperature, label: `${name} ${formatNumber(temperature)}`, points, current });
  }
  return curves;
}

function temperaturesAround(temperature) {
  const [least, most] = TEMPERATURES;
  const within = (value) => Math.min(most, Math.max(least, value));
  const around = FACTORS.map((factor) => within(Number((temperature * factor).toPrecision(3))));
  around[FACTORS.indexOf(1)] = temperature;
  return [...new Set(around)];
}

/** Points of a curve, closer together where it is steep. */
function* sampled(valueAt, [start, stop], scale) {
  let points = [];
  for (let i = 0; i < FIRST_POINTS; i++) {
    const x = start + ((stop - start) * i) / (FIRST_POINTS - 1);
    points.push([x, valueAt(x)]);
    yield;
  }
  for (let more = true; more && points.length < MAX_POINTS;) {
    more = false;
    const finer = [points[0]];
    for (let i = 1; i < points.length; i++) {
      const [x0, y0] = points[i - 1], [x1, y1] = points[i];
      const steep = Math.abs(y1 - y0) > MAX_RISE * scale && x1 - x0 > (stop - start) * 1e-4;
      if (steep) {
        const x = (x0 + x1) / 2;
        finer.push([x, valueAt(x)]);
        more = true;
        yield;
      }
      finer.push(points[i]);
    }
    points = finer;
  }
  return points;
}
