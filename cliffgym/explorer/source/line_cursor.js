// The cursor of the line picture: the weight that is set, the value there, and how far the nearest cliff is.

import { svgElement } from "./svg.js";
import { SMALL_TEXT, textElement, textWidth } from "./fitting.js";
import { formatNumber } from "./text.js";

const VALUE_SIZE = 13, BOLD = 600, HANDLE_HEIGHT = 20;
/** The least width and height of what a finger takes hold of. */
const GRIP = 44;

/** Draws the line of the cursor, which lies below all else. */
export function drawCursorLine({ weight }, { x, left, right, top, bottom }) {
  const place = Math.min(Math.max(x(weight), left), right);
  return svgElement("line", { class: "cursor-line", x1: place, x2: place, y1: top, y2: bottom + 6 });
}

/** Draws the marker with its value, and the handle on the axis with the weight. */
export function drawCursor({ weight, current, range }, { x, y, left, right, bottom, width }) {
  const place = Math.min(Math.max(x(weight), left), right), level = y(current);
  const outside = weight < range[0] ? "\u2190 " : weight > range[1] ? "\u2192 " : "";
  return [
    svgElement("circle", { class: "cursor-mark", cx: place, cy: level, r: 6 }),
    drawValue(formatNumber(current), place, level, right),
    drawHandle(outside + formatNumber(weight), place, bottom + 5, width),
  ];
}

/** The value above the marker, on the side where there is room. */
function drawValue(text, place, level, right) {
  const side = place + textWidth(text, VALUE_SIZE, BOLD) + 14 > right ? -1 : 1;
  return textElement(text, {
    class: "cursor-value halo", x: place + side * 8, y: level - 8, "text-anchor": side < 0 ? "end" : "start",
  }, { size: VALUE_SIZE, weight: BOLD });
}

function drawHandle(text, place, top, width) {
  const half = textWidth(text, SMALL_TEXT, BOLD) / 2 + 9;
  const middle = Math.min(Math.max(place, half + 1), width - half - 1);
  const box = (margin) => ({
    x: middle - half - margin, y: top - margin, width: 2 * (half + margin), height: HANDLE_HEIGHT + 2 * margin,
    rx: HANDLE_HEIGHT / 2 + margin,
  });
  const beside = Math.max(0, GRIP / 2 - half), above = (GRIP - HANDLE_HEIGHT) / 2;
  const grip = { x: middle - half - beside, y: top - above, width: 2 * (half + beside), height: GRIP };
  const spot = { x: middle, y: top + 14, "text-anchor": "middle" };
  return svgElement("g", { class: "grip" },
    svgElement("rect", { class: "catcher", ...grip, "data-save": "no" }),
    svgElement("rect", { class: "handle", ...box(0) }),
    textElement(text, { class: "handle-text", ...spot }, { size: SMALL_TEXT, weight: BOLD }),
    svgElement("rect", { class: "focus-ring", ...box(3), "data-save": "no" }),
  );
}

/** Draws the distance to the nearest cliff, just above the axis. */
export function drawNearest({ weight, nearest }, { x, left, right, bottom }) {
  const group = svgElement("g", { class: "nearest", "aria-hidden": "true" });
  if (!nearest) return group;
  const [from, to] = [weight, nearest.position].map((value) => Math.min(Math.max(x(value), left), right));
  const level = bottom - 8, length = Math.abs(to - from), ahead = to >= from ? 1 : -1;
  if (nearest.distance > 0 && length > 5) group.append(drawArrow(from, to, level, ahead));
  const amount = formatNumber(nearest.distance);
  const texts = nearest.distance === 0 ? ["on a cliff"] : [`${amount} to the nearest cliff`, amount];
  const inside = texts.find((text) => textWidth(text, SMALL_TEXT) + 10 < length);
  const middle = { x: (from + to) / 2, y: level - 5, "text-anchor": "middle" };
  group.append(inside
    ? textElement(inside, { class: "halo", ...middle }, { size: SMALL_TEXT })
    : drawBeside(texts[0], [from, to], ahead, level, [left, right]));
  return group;
}

function drawArrow(from, to, level, ahead) {
  const back = to - ahead * 4;
  return svgElement("path", {
    class: "nearest-arrow", d: `M${from} ${level}H${to}M${back} ${level - 3.5}L${to} ${level}L${back} ${level + 3.5}`,
  });
}

/** A text beside the cursor, away from the cliff, or beyond the cliff if there is no room. */
function drawBeside(text, ends, ahead, level, [left, right]) {
  const low = Math.min(...ends) - 8, high = Math.max(...ends) + 8;
  const room = ahead > 0 ? low - left : right - high;
  const toRight = room > textWidth(text, SMALL_TEXT) ? ahead < 0 : ahead > 0;
  const place = { x: toRight ? high : low, y: level + 3, "text-anchor": toRight ? "start" : "end" };
  return textElement(text, { class: "halo", ...place }, { size: SMALL_TEXT });
}
