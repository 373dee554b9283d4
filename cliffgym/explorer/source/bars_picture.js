// Outcome bars: what the policy is worth in every measure, and what ties leave open.

import { linearScale } from "./axes.js";
import { SMALL_TEXT, TEXT_SIZE, textElement, textWidth } from "./fitting.js";
import { drawnToFit } from "./moving.js";
import { setAttributes, svgElement } from "./svg.js";
import { formatInterval, formatNumber } from "./text.js";

const BAR_ROW = 54, BAR_TOP = 26, BAR_HEIGHT = 9, BARS_LEGEND = 22;

/**
 * The picture of outcomes: one row for each measure.
 *
 * @param {HTMLElement} host
 * @returns {{update: function(object): void}} Properties: `label`, and `rows` of `name`, `value` (of the policy),
 *   `interval` ([low, high] over all optimal policies), `scale` ([low, high] of what is possible at all), `optimum`
 *   (the true optimum, or null), `learned` (of the selected learned policy, or null) and `strong` (a return).
 */
export function makeBarsPicture(host) {
  const svg = svgElement("svg", { class: "picture bars-picture", role: "img" });
  host.append(svg);
  return drawnToFit(host, ({ label, rows }, width) => {
    const height = rows.length * BAR_ROW + BARS_LEGEND;
    setAttributes(svg, {
      viewBox: `0 0 ${width} ${height}`, width, height, "aria-label": [label, ...rows.map(describeBar)].join(" "),
    });
    const ends = rows.flatMap((row) => barScale(row).map((end) => textWidth(formatNumber(end), SMALL_TEXT)));
    const inset = Math.ceil(Math.max(...ends)) + 8;
    svg.replaceChildren(
      ...rows.map((row, i) => drawBar(row, i * BAR_ROW, inset, width)),
      drawBarsLegend(rows, rows.length * BAR_ROW + 14, width),
    );
  });
}

function drawBar(row, top, inset, width) {
  const { name, value, interval, optimum, learned, strong } = row;
  const scale = barScale(row), flat = scale[0] === scale[1];
  const x = flat ? () => inset : linearScale(scale, [inset, width - inset]);
  const zero = Math.min(Math.max(0, scale[0]), scale[1]), middle = top + BAR_TOP + BAR_HEIGHT / 2;
  const mark = learned === null ? "" : `\u25c6 ${formatNumber(learned)}`, strength = strong ? 600 : 400;
  const taken = textWidth(name, TEXT_SIZE, strength) + textWidth(mark, TEXT_SIZE, 600) + (mark ? 24 : 12);
  const texts = [describeBarValue(row), describeBarValue({ ...row, optimum: null }), formatNumber(value)];
  const text = texts.find((each) => taken + textWidth(each, TEXT_SIZE, 600) <= width) ?? texts[2];
  const before = width - textWidth(text, TEXT_SIZE, 600) - (mark ? 12 : 0);
  const room = before - textWidth(mark, TEXT_SIZE, 600) - 12;
  const bar = { y: top + BAR_TOP, height: BAR_HEIGHT };
  const upright = (kind, at, over) =>
    svgElement("line", { class: kind, x1: at, x2: at, y1: bar.y - over, y2: bar.y + BAR_HEIGHT + over });
  const above = (text, place, style, fit) => textElement(text, { x: place, y: top + 13, ...style }, fit);
  const end = (place, anchor, number) => textElement(formatNumber(number), {
    class: "tick-text", x: place, y: middle + 4, "text-anchor": anchor,
  }, { size: SMALL_TEXT });
  return svgElement("g", {},
    above(name, 0, {}, { room, weight: strength }),
    above(text, width, { "text-anchor": "end" }, { weight: 600 }),
    mark ? above(mark, before, { class: "learned-text", "text-anchor": "end" }, { weight: 600 }) : null,
    svgElement("rect", { class: "bar-track", x: inset, width: width - 2 * inset, ...bar }),
    svgElement("rect", {
      class: "bar-fill", x: Math.min(x(zero), x(value)), width: Math.abs(x(value) - x(zero)), ...bar,
    }),
    flat ? null : upright("bar-zero", x(zero), 3),
    flat ? null : upright("bar-now", x(value), 2),
    end(inset - 6, "end", scale[0]),
    end(width - inset + 6, "start", scale[1]),
    drawInterval(interval.map(x), top + BAR_TOP + BAR_HEIGHT + 6),
    optimum === null ? null : drawOptimum(x(optimum), bar.y - 2),
    learned === null ? null : drawBarDiamond(x(learned), middle),
  );
}

/** [low, high] of a row's bar. A policy that uses illegal tokens may be beyond what legal ones can be. */
function barScale({ value, interval, scale, learned }) {
  const shown = [value, ...interval, ...(learned === null ? [] : [learned])];
  return [Math.min(scale[0], ...shown), Math.max(scale[1], ...shown)];
}

/** A bracket over the values that ties leave open; nothing where there is just one. */
function drawInterval([low, high], y) {
  if (high - low < 0.5) return null;
  return svgElement("path", { class: "bar-interval", d: `M${low} ${y - 4}v8M${low} ${y}H${high}M${high} ${y - 4}v8` });
}

function drawOptimum(x, y) {
  return svgElement("path", { class: "bar-optimum", d: `M${x} ${y}l-5 -8h10Z` });
}

function drawBarDiamond(x, y) {
  return svgElement("g", { class: "learned" }, svgElement("path", { d: `M${x} ${y - 7}l7 7l-7 7l-7 -7Z` }));
}

/** What the marks mean, as many as there is room for. */
function drawBarsLegend(rows, y, width) {
  const marks = [
    ["this policy", 16, (x) => svgElement("rect", { class: "bar-fill", x, y: y - 8, width: 12, height: BAR_HEIGHT })],
    ["any optimum", 24, (x) => drawInterval([x, x + 19], y - 4)],
    ["true optimum", 16, (x) => drawOptimum(x + 5, y)],
  ];
  if (rows.some(({ learned }) => learned !== null)) marks.push(["learned", 20, (x) => drawBarDiamond(x + 7, y - 4)]);
  const group = svgElement("g", { class: "legend" });
  let x = 0;
  for (const [text, indent, draw] of marks) {
    const stop = x + indent + textWidth(text, SMALL_TEXT);
    if (stop > width) break;
    group.append(draw(x), textElement(text, { class: "tick-text", x: x + indent, y }, { size: SMALL_TEXT }));
    x = stop + 16;
  }
  return group;
}

/** The numbers of a row: its value, what those of all optimal policies are between, and the true optimum. */
function describeBarValue({ value, interval, scale, optimum }) {
  if (scale[0] === scale[1] && value === scale[0]) return `always ${formatNumber(value)}`;
  const parts = [formatNumber(value)], between = formatInterval(interval);
  if (between !== formatNumber(interval[0])) parts.push(`optima ${between}`);
  if (optimum !== null) parts.push(`true optimum ${formatNumber(optimum)}`);
  return parts.join(" \u00b7 ");
}

function describeBar(row) {
  const learned = row.learned === null ? "" : `, selected learned policy ${formatNumber(row.learned)}`;
  return `${row.name}: ${describeBarValue(row)}${learned}, of ${formatInterval(row.scale)}.`;
}
