// Learned policies in pictures: diamonds, the selected one larger and with its name.

import { svgElement } from "./svg.js";
import { SMALL_TEXT, textElement } from "./fitting.js";

const LONGEST_LEARNED_NAME = 180;

/**
 * Draws a learned policy.
 *
 * @param {number} x
 * @param {number} y In pixels.
 * @param {{label: string, selected: boolean}} point
 * @param {{title: string, hollow: boolean, left: number, right: number}} options `left` and `right` of the plot, within
 *   which the name stands.
 */
export function drawLearnedMark(x, y, { label, selected }, { title, hollow, left, right }) {
  const size = selected ? 8 : 5.5, side = x > (left + right) / 2 ? -1 : 1;
  const group = svgElement("g", { class: hollow ? "learned hollow" : "learned" },
    svgElement("title", {}, title),
    svgElement("path", { d: `M${x} ${y - size}L${x + size} ${y}L${x} ${y + size}L${x - size} ${y}Z` }),
  );
  if (selected) {
    const place = { x: x + side * 13, y: y + 4, "text-anchor": side < 0 ? "end" : "start" };
    const fit = { room: LONGEST_LEARNED_NAME, size: SMALL_TEXT };
    group.append(textElement(label, { class: "learned-text halo", ...place }, fit));
  }
  return group;
}
