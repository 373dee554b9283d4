// The cliffs of the line picture: where they are, and between what values ties leave the choice on them.

import { svgElement } from "./svg.js";
import { SMALL_TEXT, textElement, textWidth } from "./fitting.js";
import { formatNumber, plural } from "./text.js";

/** More cliffs than this are drawn finer, with one row of labels. */
const MANY_CLIFFS = 16;
/** The least distance between labels, in pixels, and between a label and the line of a cliff. */
const LABEL_GAP = 7, LINE_GAP = 4;
const ROWS = 2;
/** The height of a row of labels, in pixels. */
export const CLIFF_ROW_HEIGHT = 15;
const CLIFFS_HEADING = "cliffs";
const ALL_DIGITS = 17;

/** The number of rows that labels of cliffs take above the plot. */
export function cliffRows(breakpoints) {
  return breakpoints.length > MANY_CLIFFS ? 1 : ROWS;
}

/**
 * Which cliffs have their position written above the plot, and where: those with the largest jumps first.
 *
 * @param {object[]} breakpoints
 * @param {{x: function, y: function, width: number}} frame
 * @returns {Map<number, {row: number, from: number, text: string}>} By place in the list; row 0 is next to the plot.
 */
function placeLabels(breakpoints, { x, y, width }) {
  const rows = Array.from({ length: cliffRows(breakpoints) }, () => []);
  const isFree = (row, from, to, gap) => rows[row].every((box) => to + gap < box.from || from - gap > box.to);
  const placed = new Map();
  for (const i of byJump(breakpoints, y)) {
    const place = x(breakpoints[i].position), text = formatNumber(breakpoints[i].position);
    const room = textWidth(text, SMALL_TEXT), from = Math.min(Math.max(place - room / 2, 0), width - room);
    // From an upper row, the line of the cliff must come down between the labels of the lower ones.
    const row = rows.findIndex((_, at) => isFree(at, from, from + room, LABEL_GAP)
      && rows.slice(0, at).every((_boxes, lower) => isFree(lower, place, place, LINE_GAP)));
    if (row < 0) continue;
    for (let lower = 0; lower < row; lower++) rows[lower].push({ from: place, to: place });
    rows[row].push({ from, to: from + room });
    placed.set(i, { row, from, text });
  }
  return placed;
}

/** Places in the list, the largest jumps first. */
function byJump(breakpoints, y) {
  const jumps = breakpoints.map(({ low, high, totalVariation }) => Math.abs(y(high) - y(low)) + totalVariation);
  return jumps.map((_, i) => i).sort((i, j) => jumps[j] - jumps[i] || i - j);
}

/** Draws the cliffs: a dashed line each, the position above it, and a bar over the values that ties allow. */
export function drawCliffs({ breakpoints, yLabel, hard }, frame) {
  const many = breakpoints.length > MANY_CLIFFS, labels = placeLabels(breakpoints, frame);
  const group = svgElement("g", { class: `cliffs${many ? " many" : ""}${hard ? " now" : ""}` });
  const style = { yLabel, marksChoice: hard && !many, half: many ? 2 : 3 };
  breakpoints.forEach((point, i) => group.append(drawCliff(point, labels.get(i), style, frame)));
  const first = Math.min(frame.width, ...[...labels.values()].map(({ from }) => from));
  if (labels.size && textWidth(CLIFFS_HEADING, SMALL_TEXT) + LABEL_GAP + 2 < first) {
    group.append(textElement(CLIFFS_HEADING, { class: "cliff-heading", x: 2, y: frame.top - 9 }, { size: SMALL_TEXT }));
  }
  return group;
}

/** One cliff; `half` is half the width of its bar. */
function drawCliff(point, label, { yLabel, marksChoice, half }, { x, y, top, bottom }) {
  const place = x(point.position), low = y(point.low), high = y(point.high);
  const rise = label ? 6 + label.row * CLIFF_ROW_HEIGHT : 0;
  const bar = { x: place - half, y: high - half, width: 2 * half, height: low - high + 2 * half, rx: half };
  const catcher = { x: place - 4, y: top, width: 8, height: bottom - top };
  const text = label && textElement(label.text, {
    class: "cliff-text", x: label.from, y: top - 3 - rise, "data-cliff": String(point.position),
  }, { size: SMALL_TEXT });
  return svgElement("g", { class: "cliff" },
    svgElement("title", {}, cliffText(point, yLabel)),
    svgElement("rect", { class: "catcher", ...catcher, "data-save": "no" }),
    svgElement("line", { class: "cliff-line", x1: place, x2: place, y1: top - rise, y2: bottom }),
    svgElement("rect", { class: "tie-bar", ...bar }),
    marksChoice ? svgElement("circle", { class: "tie-choice", cx: place, cy: y(point.y), r: 3.5 }) : null,
    text ?? null,
  );
}

function cliffText({ position, low, high, states, totalVariation }, yLabel) {
  const span = low === high
    ? `${yLabel} stays at ${formatNumber(low)}`
    : `ties leave ${yLabel} anywhere from ${formatNumber(low)} to ${formatNumber(high)}`;
  return `Cliff at ${formatNumber(position, ALL_DIGITS)}: the optimum changes in ${plural(states.length, "state")}, `
    + `by a total variation of up to ${formatNumber(totalVariation)}; ${span}.`;
}
