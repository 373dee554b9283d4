// Sentences that say what the pictures show.

import { formatInterval, formatNumber, plural } from "./text.js";

/** Digits of a weight: more than of what it leads to, so that a hair beside a cliff is told from the cliff. */
const WEIGHT_DIGITS = 7;

/** Whether a weight is on a cliff, given where that is, but for rounding. */
export function isOn(cliff, weight) {
  return Math.abs(cliff - weight) <= 1e-9 * Math.max(1, Math.abs(cliff));
}

/**
 * The nearest cliff as `position` and `distance`; null if there is none in what is drawn, nor any beyond it that is known
 * to be nearest: another may be nearer on the other side, where the line was not traced any more.
 *
 * @param {{cliffs: number[], traced: number[]}|null} readings Of `lineReadings`.
 * @param {number} weight
 */
export function nearestCliff(readings, weight) {
  if (!readings?.cliffs.length) return null;
  const distance = (cliff) => (isOn(cliff, weight) ? 0 : Math.abs(cliff - weight));
  const position = readings.cliffs.reduce((best, each) => (distance(each) < distance(best) ? each : best));
  const known = Math.min(...readings.traced.map((end) => Math.abs(end - weight)));
  return distance(position) <= known ? { position, distance: distance(position) } : null;
}

/** Where the cursor stands on the line: on a cliff, or how far from one; null while that is not known. */
export function lineSentence(scene) {
  const { state, stages, tied, intervals } = scene, { readings } = stages;
  if (!readings.fresh) return null;
  if (!readings.value) return `The cliffs of this line could not be found: ${stages.line.error || readings.error}.`;
  const weight = state.weights[state.component], at = `${state.component} = ${formatNumber(weight, WEIGHT_DIGITS)}`;
  const between = formatInterval(intervals[intervals.length - 1]);
  const open = between.includes(" to ") ? `anything from ${between}` : `${between}, whichever of them is chosen`;
  const ties = `${plural(tied, "state")} ${tied === 1 ? "is" : "are"} tied; the true return is ${open}`;
  const nearest = nearestCliff(readings.value, weight);
  const where = nearest?.distance === 0 ? `You stand on a cliff (${at}): ${ties}.`
    : `At ${at}${tied ? `, as on both sides, ${ties}` : " the optimum is unique"}; ${farText(nearest, state.range)}.`;
  return [where, ...softSentence(scene)].join(" ");
}

/** How far the nearest cliff is. */
function farText(nearest, [low, high]) {
  if (!nearest) return `there is no cliff from ${formatInterval([low, high])}`;
  const { position, distance } = nearest, outside = position < low || position > high;
  return `the nearest cliff is at ${formatNumber(position, WEIGHT_DIGITS)}, ${formatNumber(distance)} away`
    + `${outside ? ", outside of what is drawn" : ""}`;
}

/** What regularisation makes of it. */
function softSentence({ state, value, measure, stages }) {
  if (state.regulariser === "hard") return [];
  const how = state.regulariser === "kl" ? "a KL penalty of kl_coef" : "entropy at temperature";
  const weight = state.weights[state.component];
  const { segments, breakpoints } = stages.readings.value;
  const hard = breakpoints.find(({ position }) => isOn(position, weight))
    ?? segments.find(({ start, stop }) => weight >= start && weight <= stop);
  const values = [state.temperature, value, hard.y].map((each) => formatNumber(each));
  return [`With ${how} ${values[0]}, ${measure.label} is ${values[1]}; without it, ${values[2]}.`];
}

/** How far a cliff is when all weights may move. */
export function radiusSentence({ radius }) {
  if (radius === Infinity) return "No change of weights, however large, makes another policy optimal.";
  if (radius === 0) {
    return "Over all weights at once: some change, however small, moves the optimum in a state that some trace comes to.";
  }
  return `Over all weights at once: as long as each changes by less than ${formatNumber(radius)}, `
    + "the optimum stays what it is in every state that some trace comes to.";
}

/** What ties leave to chance and what the reward itself gets wrong, as terms with values and explanations. */
export function chanceFacts({ intervals, optimalTrueReturn }) {
  const [low, high] = intervals[intervals.length - 1];
  const between = formatInterval([low, high]), optimum = formatNumber(optimalTrueReturn);
  const chance = `best less worst true return over all optima of this reward (${between})`;
  return [
    ["Left to chance", formatNumber(high - low), chance],
    ["Misspecified", formatNumber(optimalTrueReturn - high), `true optimum (${optimum}) less the best of them`],
  ];
}

/** What is to be known of prompts that never come up in training, or an empty text. */
export function undeterminedSentence({ model, state }) {
  const count = model.undetermined.size, total = model.prompts.length;
  if (!count || model.undetermined.has(state.prompt)) return ""; // of this prompt the picture itself says so
  return `${count} of ${plural(total, "prompt")} never come up in training.`;
}
