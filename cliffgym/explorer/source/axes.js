// Scales and axes of pictures, with ticks at round numbers.

import { svgElement } from "./svg.js";
import { SMALL_TEXT, textElement, textWidth } from "./fitting.js";

/** Between ticks of y and the plot, in pixels. */
const TICK_GAP = 11;

/** The room that ticks of y take, at most. */
export function tickRoom({ width }) {
  return Math.ceil(Math.max(width + TICK_GAP + 3, 32));
}

/** The function that takes [from, to] linearly to [start, stop]; `inverse` leads back. */
export function linearScale([from, to], [start, stop]) {
  const scale = (value) => start + ((value - from) / (to - from)) * (stop - start);
  scale.inverse = (place) => from + ((place - start) / (stop - start)) * (to - from);
  return scale;
}

/** 1, 2 or 5 times a power of ten: the least such step with which at most `count` of them cover `span`. */
function roundStep(span, count) {
  const least = span / Math.max(count, 1), power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9)) * power;
}

/** Multiples of a step within [low, high], with no rounding to be seen in them. */
export function multiples(low, high, step) {
  const first = Math.ceil(low / step - 1e-6), last = Math.floor(high / step + 1e-6), digits = decimals(step);
  const values = [];
  for (let i = first; i <= last; i++) values.push(Number((i * step).toFixed(digits)));
  return values;
}

/** A tick's value; those of one axis have the same number of decimals. */
function tickText(value, step) {
  if (value === 0) return "0";
  const size = Math.abs(value), exponent = Math.floor(Math.log10(size) + 1e-9);
  const isPlain = exponent < 6 && (exponent > -5 || decimals(step) < 5);
  const text = isPlain ? size.toFixed(decimals(step)) : size.toExponential(Math.max(exponent - stepExponent(step), 0));
  return `${value < 0 ? "\u2212" : ""}${text.replace("e+", "e").replace("e-", "e\u2212")}`;
}

function decimals(step) {
  return Math.min(Math.max(0, -stepExponent(step)), 100);
}

function stepExponent(step) {
  return Math.floor(Math.log10(step) + 1e-9);
}

/** The part of a step to which the ends of an axis are rounded. */
const END_SHARE = 1 / 5;

/**
 * The axis of a picture's y: bounds around [low, high], and ticks at round numbers.
 *
 * @returns {{range: number[], step: number, values: number[], width: number}} `width` of the widest tick, in pixels.
 */
export function roundAxis(low, high, count) {
  const flat = !(high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high), 1e-9));
  if (flat) {
    const around = low === 0 ? 1 : Math.abs(low) / 2;
    [low, high] = [low - around, high + around];
  }
  const step = roundStep(high - low, count);
  const part = step * END_SHARE;
  const range = [Math.floor(low / part + 1e-6) * part, Math.ceil(high / part - 1e-6) * part];
  const values = multiples(...range, step);
  return { range, step, values, width: widest(values, step) };
}

/** The ticks of an axis whose ends are given. */
export function fixedAxis([low, high], count) {
  const step = roundStep(high - low, count), values = multiples(low, high, step);
  return { range: [low, high], step, values, width: widest(values, step) };
}

function widest(values, step) {
  return Math.max(0, ...values.map((value) => textWidth(tickText(value, step), SMALL_TEXT)));
}

/**
 * Draws both axes around a plot: ticks, grid lines and labels, y's above the plot and x's below it.
 *
 * @param {object} frame `left`, `right`, `top`, `bottom` of the plot in pixels, `x`, `y` (scales), `xAxis`, `yAxis`.
 * @param {{xLabel: string, yLabel: string, labelTop: number, grid: boolean}} options `labelTop` is the baseline of the
 *   y label.
 */
export function drawAxes({ left, right, top, bottom, x, y, xAxis, yAxis }, { xLabel, yLabel, labelTop, grid }) {
  const group = svgElement("g", { class: "axes" });
  const tickLabel = (value, { step }, attributes) =>
    textElement(tickText(value, step), { class: "tick-text", ...attributes }, { size: SMALL_TEXT });
  for (const value of yAxis.values) {
    const place = y(value), ends = grid ? { x1: left, x2: right } : { x1: left - 5, x2: left };
    group.append(
      svgElement("line", { class: grid ? "grid" : "tick", ...ends, y1: place, y2: place }),
      tickLabel(value, yAxis, { x: left - TICK_GAP, y: place + 4, "text-anchor": "end" }),
    );
  }
  for (const value of xAxis.values) {
    const place = x(value);
    group.append(
      svgElement("line", { class: "tick", x1: place, x2: place, y1: bottom, y2: bottom + 5 }),
      tickLabel(value, xAxis, { x: place, y: bottom + 18, "text-anchor": "middle" }),
    );
  }
  const middle = (left + right) / 2, fit = { room: right - 4, weight: 600 };
  group.append(
    svgElement("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    textElement(xLabel, { class: "axis-label", x: middle, y: bottom + 38, "text-anchor": "middle" }, fit),
    textElement(yLabel, { class: "axis-label", x: 2, y: labelTop }, fit),
  );
  return group;
}
