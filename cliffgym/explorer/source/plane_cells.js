// Cells of the plane picture, coloured by what their policy is worth, and the legend of the colours.

import { svgElement } from "./svg.js";
import { SMALL_TEXT, TEXT_SIZE, fitText, textElement, textWidth } from "./fitting.js";
import { inkOn, scaleColour, shareOf } from "./colour_scale.js";
import { TIE_TOLERANCE } from "./solver.js";
import { formatNumber } from "./text.js";

/** More cells than this have finer borders. */
const MANY_CELLS = 60;
const LEGEND_STEPS = 48, LEGEND_TOP = 70, LEGEND_HEIGHT = 10;
/** Places of a label within its cell, between its middle and each corner. */
const LABEL_SHIFTS = [0, 0.25, 0.5];
const LONGEST_CELL_LABEL = 80;

/** Draws the cells with their borders and, where they have room for it, their labels. */
export function drawCells({ cells, valueRange, valueLabel }, { x, y }) {
  const polygons = cells.map((cell) => {
    const fill = scaleColour(shareOf(cell.value, valueRange)), title = `${valueLabel}: ${cell.label}`;
    const points = cornersText(cell, x, y);
    return svgElement("polygon", { class: "cell", points, fill }, svgElement("title", {}, title));
  });
  const labels = cells.map((cell) => drawCellLabel(cell, shareOf(cell.value, valueRange), x, y));
  return svgElement("g", { class: cells.length > MANY_CELLS ? "cells many" : "cells" }, ...polygons, ...labels);
}

/** The corners of a cell in pixels, as a polygon has them. */
export function cornersText({ vertices }, x, y) {
  return vertices.map(([vx, vy]) => `${x(vx).toFixed(2)},${y(vy).toFixed(2)}`).join(" ");
}

function drawCellLabel(cell, share, x, y) {
  const corners = cell.vertices.map(([vx, vy]) => [x(vx), y(vy)]);
  const text = fitText(cell.label, LONGEST_CELL_LABEL, SMALL_TEXT);
  const place = labelPlace(corners, textWidth(text, SMALL_TEXT) / 2 + 3, SMALL_TEXT / 2 + 2);
  if (!place) return null;
  const [px, py] = place;
  return textElement(text, { class: "cell-text", x: px, y: py + 4, "text-anchor": "middle", fill: inkOn(share) }, {
    size: SMALL_TEXT,
  });
}

/** The middle of a box of a half width and half height within a convex polygon, or null if it does not fit. */
function labelPlace(corners, halfWidth, halfHeight) {
  const [mx, my] = centroid(corners);
  for (const shift of LABEL_SHIFTS) {
    for (const [cx, cy] of shift ? corners : [[mx, my]]) {
      const px = mx + shift * (cx - mx), py = my + shift * (cy - my);
      const box = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([i, j]) => [px + i * halfWidth, py + j * halfHeight]);
      if (box.every((point) => isInPolygon(corners, point))) return [px, py];
    }
  }
  return null;
}

/** The centre of gravity of a polygon. */
function centroid(corners) {
  let area = 0, sx = 0, sy = 0;
  corners.forEach(([x0, y0], i) => {
    const [x1, y1] = corners[(i + 1) % corners.length], cross = x0 * y1 - x1 * y0;
    area += cross;
    sx += (x0 + x1) * cross;
    sy += (y0 + y1) * cross;
  });
  return Math.abs(area) < 1e-9 ? corners[0] : [sx / (3 * area), sy / (3 * area)];
}

/** Whether a convex polygon, turning either way, holds a point; its border belongs to it. */
function isInPolygon(corners, [px, py]) {
  let left = false, right = false;
  corners.forEach(([x0, y0], i) => {
    const [x1, y1] = corners[(i + 1) % corners.length];
    const side = (x1 - x0) * (py - y0) - (y1 - y0) * (px - x0);
    if (side > 0) left = true;
    if (side < 0) right = true;
  });
  return !(left && right);
}

/** The cells that hold a point of weights: on a border all that meet there, as their planes do; none outside. */
export function cellsUnder({ cells, point: [x, y], xRange, yRange }) {
  if (!cells || x < xRange[0] || x > xRange[1] || y < yRange[0] || y > yRange[1]) return [];
  const terms = cells.map(({ plane }) => [plane[0], plane[1] * x, plane[2] * y]);
  const heights = terms.map((parts) => parts.reduce((sum, part) => sum + part));
  const scale = Math.max(...terms.map((parts) => parts.reduce((sum, part) => sum + Math.abs(part), 0)));
  const least = Math.max(...heights) - TIE_TOLERANCE * scale;
  return cells.filter((_, i) => heights[i] >= least);
}

/** What the hard optimum is at a point, in words, given the cells under it; empty without any. */
export function readingText(under) {
  if (!under.length) return "";
  const [low, high] = endsOf(under);
  return low.label === high.label ? `hard optimum here ${low.label}` : `on a border: ${low.label} to ${high.label}`;
}

/** The cells of the least and of the largest value. */
function endsOf(under) {
  const sorted = [...under].sort((one, other) => one.value - other.value);
  return [sorted[0], sorted[sorted.length - 1]];
}

/** Draws what the colours mean, below the plot. */
export function drawLegend({ valueRange }, { left, right, bottom }) {
  const top = bottom + LEGEND_TOP, step = (right - left) / LEGEND_STEPS;
  const parts = Array.from({ length: LEGEND_STEPS }, (_, i) => svgElement("rect", {
    class: "legend-step", x: left + i * step, y: top, width: step, height: LEGEND_HEIGHT,
    fill: scaleColour((i + 0.5) / LEGEND_STEPS),
  }));
  const ends = valueRange[0] === valueRange[1] ? [] : valueRange.map((value, i) => textElement(formatNumber(value), {
    class: "tick-text", x: i ? right : left, y: top + LEGEND_HEIGHT + 13, "text-anchor": i ? "end" : "start",
  }, { size: SMALL_TEXT }));
  return svgElement("g", { class: "legend" }, ...parts, ...ends);
}

/** Draws what is measured, with its value at the point, and where that is in the legend. */
export function drawReading({ valueLabel, valueRange }, under, { left, right, bottom }) {
  const base = bottom + LEGEND_TOP - 12, top = bottom + LEGEND_TOP, value = readingText(under);
  const room = right - left - (value ? textWidth(value, TEXT_SIZE, 600) + 16 : 0);
  const isBeside = textWidth(valueLabel, TEXT_SIZE, 600) <= room; // or else between the ends of the legend
  const place = isBeside ? { x: right, y: base, "text-anchor": "end" }
    : { x: (left + right) / 2, y: top + LEGEND_HEIGHT + 14, "text-anchor": "middle" };
  const ends = under.length ? endsOf(under) : [];
  const places = ends.map((cell) => left + shareOf(cell.value, valueRange) * (right - left));
  return [
    textElement(valueLabel, { class: "axis-label", x: left, y: base }, { room: right - left, weight: 600 }),
    textElement(value, { class: "reading", ...place }, { weight: 600 }),
    ...[...new Set(places)].flatMap((at) => [
      svgElement("path", { class: "legend-mark", d: `M${at} ${top - 1}l-5 -6h10Z` }),
      svgElement("line", { class: "legend-line", x1: at, x2: at, y1: top, y2: top + LEGEND_HEIGHT }),
    ]),
  ];
}
