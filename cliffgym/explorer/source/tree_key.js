// What lines and signs of the tree mean, below it.

import { svgElement } from "./svg.js";
import { SMALL_TEXT, textElement, textWidth } from "./fitting.js";
import { drawChanceMark, drawTie } from "./tree_drawing.js";

const SAMPLE = 26, KEY_GAP = 18, KEY_ROW = 18;

/**
 * Draws the meaning of the signs that the tree has, in as many rows as the width takes.
 *
 * @param {SVGElement} group What it is drawn into.
 * @param {object} props Of the picture.
 * @param {{nodes: object[], height: number}} layout
 * @param {number} width In pixels.
 * @returns {number} The height in pixels.
 */
export function drawTreeKey(group, props, { nodes, height }, width) {
  const edges = nodes.filter(({ parent, kind }) => parent && parent.kind !== "chance" && kind !== "illegal");
  const entries = [
    ["optimal", lineSample("tree-edge")],
    edges.some(({ isOptimal }) => !isOptimal) && ["not optimal", lineSample("tree-edge not-optimal")],
    edges.some(({ isTied }) => isTied) && ["tied", tieSample],
    nodes.some(({ kind }) => kind === "chance") && ["chance decides", chanceSample],
    props.overlay && ["learned", lineSample("tree-learned")],
  ].filter(Boolean);
  entries.push(["width: probability", null]);
  let x = 2, y = height + 8;
  const parts = [];
  for (const [text, sample] of entries) {
    const room = (sample ? SAMPLE + 6 : 0) + textWidth(text, SMALL_TEXT);
    if (x > 2 && x + room > width) [x, y] = [2, y + KEY_ROW];
    if (sample) parts.push(...sample(x, y - 4));
    parts.push(textElement(text, { class: "key-text", x: x + (sample ? SAMPLE + 6 : 0), y }, { size: SMALL_TEXT }));
    x += room + KEY_GAP;
  }
  group.replaceChildren(...parts);
  return y - height + 10;
}

/** A function that draws a piece of an edge of a kind. */
function lineSample(kind) {
  return (x, y, width = 3) => [svgElement("path", { class: kind, d: `M${x} ${y}h${SAMPLE}`, "stroke-width": width })];
}

function tieSample(x, y) {
  return [...lineSample("tree-edge")(x, y), ...drawTie(x + SAMPLE / 2, y)];
}

function chanceSample(x, y) {
  return [...lineSample("tree-edge by-chance")(x, y, 1), drawChanceMark(x + SAMPLE / 2, y)];
}
