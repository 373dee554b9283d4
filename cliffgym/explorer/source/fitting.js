// Texts in pictures: how wide they are, cut to the room there is, and kept apart from each other.

import { svgElement } from "./svg.js";

/** Sizes of text in pictures, in pixels. */
export const TEXT_SIZE = 12;
export const SMALL_TEXT = 11;
const FONT = "system-ui, sans-serif"; // as in pictures.css
const ELLIPSIS = "\u2026";
const LONGEST_DRAWN = 300;
/** Line breaks and other controls, and marks that turn the direction of text around. */
const CONTROLS = /[\p{Cc}\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]+/gu;

const knownWidths = new Map();
let pen = null;

/** The width of a text in pixels. */
export function textWidth(text, size = TEXT_SIZE, weight = 400) {
  const key = `${weight} ${size} ${text}`;
  let width = knownWidths.get(key);
  if (width === undefined) {
    pen ??= document.createElement("canvas").getContext("2d");
    pen.font = `${weight} ${size}px ${FONT}`;
    width = pen.measureText(text).width;
    if (knownWidths.size > 5000) knownWidths.clear();
    knownWidths.set(key, width);
  }
  return width;
}

/** A text on one line in its own direction, cut with an ellipsis where it is wider than `room` pixels. */
export function fitText(text, room, size = TEXT_SIZE, weight = 400) {
  const clean = text.replace(CONTROLS, " ").trim();
  if (clean.length < LONGEST_DRAWN && textWidth(clean, size, weight) <= room) return clean;
  const letters = Array.from(clean.slice(0, LONGEST_DRAWN)); // code points: no pair is cut in half
  let low = 0, high = letters.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (textWidth(letters.slice(0, middle).join("") + ELLIPSIS, size, weight) <= room) low = middle;
    else high = middle - 1;
  }
  return letters.slice(0, low).join("").trimEnd() + ELLIPSIS;
}

/**
 * A text element that is at most `room` pixels wide; what was cut is in its title.
 *
 * @param {string} text
 * @param {object} attributes Of the element: x, y, class, text-anchor.
 * @param {{room?: number, size?: number, weight?: number}} fit
 */
export function textElement(text, attributes, { room = Infinity, size = TEXT_SIZE, weight = 400 } = {}) {
  const fitted = fitText(text, room, size, weight);
  const title = fitted === text ? null : svgElement("title", {}, text);
  return svgElement("text", {
    "font-size": size, "font-weight": weight === 400 ? null : weight, ...attributes,
  }, title, fitted);
}

/**
 * Moves positions apart, each as little as it must, in their order.
 *
 * @param {number[]} wanted
 * @param {number} gap The least distance between neighbours.
 * @param {number} low
 * @param {number} high Bounds that all stay within, if there is room for them.
 * @returns {number[]} In the order of `wanted`.
 */
export function spread(wanted, gap, low, high) {
  const order = wanted.map((_, i) => i).sort((i, j) => wanted[i] - wanted[j] || i - j);
  const groups = []; // runs of neighbours that touch: their first place and the sum of what they want of it
  for (const i of order) {
    let group = { members: [i], sum: wanted[i] };
    for (;;) {
      const room = gap * (group.members.length - 1);
      group.start = Math.max(low, Math.min(group.sum / group.members.length, high - room));
      const before = groups.at(-1);
      if (!before || before.start + gap * before.members.length <= group.start) break;
      groups.pop();
      const shift = gap * before.members.length;
      const sum = before.sum + group.sum - shift * group.members.length;
      group = { members: [...before.members, ...group.members], sum };
    }
    groups.push(group);
  }
  const placed = new Array(wanted.length);
  for (const { members, start } of groups) members.forEach((i, place) => { placed[i] = start + gap * place; });
  return placed;
}
