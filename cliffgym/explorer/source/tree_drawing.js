// How a node of the tree looks, with the edge to it, and what it says to those who do not see it.

import { svgElement } from "./svg.js";
import { SMALL_TEXT, TEXT_SIZE, textElement, textWidth } from "./fitting.js";
import { EDGE_WIDTH, NODE_RADIUS, returnTexts, returnsText } from "./tree_layout.js";
import { formatNumber } from "./text.js";

/** The least width of an edge, in pixels, and what is less likely than anything that happens. */
const HAIRLINE = 1, NEVER = 1e-9;
const BOLD_TEXT = 600;

/** All that a node's drawing depends on: while it stays, the drawing stays. */
export function nodeSignature(node, isSelected, { columns, rowHeight }) {
  const { x, y, edgeStart, textStart, hasMarkRoom, parent, kind, fullName, text, probability, learned, returns } = node;
  const { isOptimal, isTied, onOptimal, children, reach } = node;
  return JSON.stringify([x, y, edgeStart, textStart, hasMarkRoom, parent?.y, kind, fullName, text, probability, learned,
    returns, isOptimal, isTied, onOptimal, children === null, reach < NEVER, isSelected, columns, rowHeight]);
}

/** Draws a node and the edge to it. */
export function drawNode(node, isSelected, layout) {
  return [
    svgElement("title", {}, nodeText(node)),
    svgElement("rect", { class: "catcher", ...boxOf(node, layout), rx: 4, "data-save": "no" }),
    ...(node.parent ? drawEdge(node) : []),
    isSelected ? svgElement("circle", { class: "selected-ring", cx: node.x, cy: node.y, r: NODE_RADIUS + 4 }) : null,
    ...drawMark(node),
    ...drawLeafText(node, layout),
  ].filter((part) => part !== null);
}

/** The name of a node for those who do not see it. */
export function nodeText(node) {
  const { parent, kind, fullName, fullText, isOptimal, isTied, probability, learned } = node;
  const parts = [fullName];
  if (parent?.kind === "chance") parts.push(`chance ${formatNumber(probability)}`);
  else if (parent && kind !== "illegal") {
    const kindOfEdge = isTied ? "tied optimal" : isOptimal ? "optimal" : "not optimal";
    parts.push(`probability ${formatNumber(probability)}`, kindOfEdge);
  }
  if (learned !== null) parts.push(`learned ${formatNumber(learned)}`);
  if (fullText) parts.push(fullText);
  if (kind === "end") parts.push(returnsText(node));
  return parts.join(", ");
}

/** What a node takes up of its row: the level part of its edge, itself and its text. */
function boxOf({ x, y, textStart, text, parent }, { rowHeight }) {
  const left = (parent ? textStart : x - NODE_RADIUS) - 4;
  const right = x + (text ? 18 + textWidth(text, TEXT_SIZE, BOLD_TEXT) : 9);
  return { x: left, y: y - rowHeight / 2 - 7, width: right - left, height: rowHeight + 2 };
}

function drawEdge(node) {
  if (node.kind === "illegal") return drawIllegalEdge(node);
  const { x, y, textStart, parent, probability, learned, isOptimal, isTied, hasMarkRoom } = node;
  const { name, number, learnedNumber } = node;
  const isChance = parent.kind === "chance";
  const width = isChance ? HAIRLINE : Math.max(EDGE_WIDTH * probability, HAIRLINE);
  const kind = isChance ? "by-chance" : isOptimal ? "optimal" : "not-optimal", dim = node.reach < NEVER ? " dim" : "";
  const line = y - width / 2 - 4, end = x - NODE_RADIUS - 5 - (hasMarkRoom ? 16 : 0);
  const numberEnd = end - (learnedNumber ? textWidth(learnedNumber, SMALL_TEXT) + 16 : 0);
  const numberPlace = { x: numberEnd, y: line, "text-anchor": "end" };
  return [
    ...(learned === null ? [] : drawLearnedEdge(node, (width + learnedWidth(node)) / 2 + 1.5, end, line)),
    svgElement("path", { class: `tree-edge ${kind}${dim}`, d: edgePath(node, 0), "stroke-width": width }),
    textElement(name, { class: `edge-name${dim}`, x: textStart, y: line }),
    textElement(number, { class: `edge-number${dim}`, ...numberPlace }, { size: SMALL_TEXT }),
    ...(isTied ? drawTie(x - NODE_RADIUS - 11, y) : []),
  ];
}

/** What a learned policy puts on illegal tokens: there is nothing of the policy beside it. */
function drawIllegalEdge(node) {
  const { x, y, textStart, name, hasMarkRoom } = node;
  const line = y - learnedWidth(node) / 2 - 4, end = x - NODE_RADIUS - 5 - (hasMarkRoom ? 16 : 0);
  return [
    ...drawLearnedEdge(node, 0, end, line),
    textElement(name, { class: "learned-text", x: textStart, y: line }),
  ];
}

function learnedWidth({ learned }) {
  return Math.max(EDGE_WIDTH * learned, HAIRLINE);
}

/** What a learned policy does, as a line `shift` pixels below that of the policy. */
function drawLearnedEdge(node, shift, end, line) {
  const start = end - textWidth(node.learnedNumber, SMALL_TEXT), place = { x: end, y: line, "text-anchor": "end" };
  return [
    svgElement("path", { class: "tree-learned", d: edgePath(node, shift), "stroke-width": learnedWidth(node) }),
    svgElement("path", { class: "learned-diamond", d: `M${start - 7} ${line - 8}l4 4l-4 4l-4 -4Z` }),
    textElement(node.learnedNumber, { class: "learned-text", ...place }, { size: SMALL_TEXT }),
  ];
}

/** The line from the parent to a node; its level part is `shift` pixels lower. */
function edgePath({ x, y, edgeStart, textStart, parent }, shift) {
  const from = parent.y, to = y + shift, level = textStart - 4, bend = (level - edgeStart) * 0.6;
  const curve = [edgeStart + bend, from, level - bend, to, level, to].map((place) => place.toFixed(2)).join(" ");
  return `M${edgeStart.toFixed(2)} ${from}C${curve}H${(x - NODE_RADIUS + 1).toFixed(2)}`;
}

/** The sign of what chance decides. */
export function drawChanceMark(x, y) {
  return svgElement("path", { class: "chance-mark", d: `M${x} ${y - 5}l5 5l-5 5l-5 -5Z` });
}

/** The sign of what is not legal: a cross. */
function drawIllegalMark(x, y) {
  return svgElement("path", { class: "illegal-mark", d: `M${x - 3.5} ${y - 3.5}l7 7M${x - 3.5} ${y + 3.5}l7 -7` });
}

/** The sign of a tie: equality in a circle. */
export function drawTie(cx, cy) {
  return [
    svgElement("circle", { class: "tie-mark", cx, cy, r: 6.5 }),
    svgElement("path", { class: "tie-sign", d: `M${cx - 3} ${cy - 1.75}h6M${cx - 3} ${cy + 1.75}h6` }),
  ];
}

/** The sign of the node itself. */
function drawMark({ kind, x, y, children, reach, parent }) {
  const dim = reach < NEVER ? " dim" : "";
  if (kind === "end") return [svgElement("rect", { class: `end-mark${dim}`, x: x - 4, y: y - 4, width: 8, height: 8 })];
  if (kind === "chance") return [drawChanceMark(x, y)];
  if (kind === "illegal") return [drawIllegalMark(x, y)];
  const circle = { cx: x, cy: y, r: NODE_RADIUS };
  if (!parent) return [svgElement("circle", { class: "state-mark root-mark", ...circle })];
  return [svgElement("g", { class: "opener" },
    svgElement("circle", { class: "catcher", ...circle, r: 11, "data-save": "no" }),
    svgElement("circle", { class: `state-mark${dim}`, ...circle }),
    children
      ? svgElement("path", { class: "opener-sign on-hover", d: `M${x - 2.5} ${y}h5`, "data-save": "no" })
      : svgElement("path", { class: "opener-sign", d: `M${x - 2.5} ${y}h5M${x} ${y - 2.5}v5` }))];
}

/** What stands beside a leaf: its outcome and returns, or how much there is behind it. */
function drawLeafText(node, { columns }) {
  const { kind, x, y, text, onOptimal, reach } = node;
  if (!text) return [];
  const dim = reach < NEVER ? " dim" : "", base = y + 4, weight = onOptimal && kind === "end" ? BOLD_TEXT : 400;
  const name = { class: `${kind === "end" ? "outcome" : "more opener"}${dim}`, x: x + 12, y: base };
  const words = textElement(text, name, { weight });
  if (kind !== "end") return [words];
  if (!columns) {
    const place = { x: x + 20 + textWidth(text, TEXT_SIZE, weight), y: base };
    return [words, textElement(returnsText(node), { class: "returns", ...place }, { size: SMALL_TEXT })];
  }
  const texts = returnTexts(node), start = x + 12 + textWidth(text, TEXT_SIZE, weight) + 8;
  const stop = columns[0] - textWidth(texts[0], SMALL_TEXT, weight) - 8;
  const leader = { class: "leader", x1: start, x2: stop, y1: base - 1, y2: base - 1 };
  return [words, stop - start > 20 ? svgElement("line", leader) : null, ...texts.map((value, i) => textElement(value, {
    class: `return${dim}`, x: columns[i], y: base, "text-anchor": "end",
  }, { size: SMALL_TEXT, weight }))];
}
