// The curves of the line picture: steps of the hard optimum, soft policies, and their names at the right end.

import { svgElement } from "./svg.js";
import { SMALL_TEXT, fitText, spread, textElement } from "./fitting.js";
import { formatNumber } from "./text.js";

const NAME_GAP = 15, LONGEST_NAME = 130, BOLD_NAME = 600;
/** There are as many kinds of dashes and colours. */
const KINDS = 3;

/** Draws the soft curves; that of the policy that is shown, if it is soft, is the boldest. */
export function drawCurves({ curves, hard }, { x, y }) {
  return svgElement("g", {}, ...curves.map((curve, place) => {
    const corners = curve.points.map(([px, py]) => `${x(px).toFixed(2)} ${y(py).toFixed(2)}`);
    const d = corners.length ? `M${corners.join("L")}` : null;
    return svgElement("path", { class: curveClass(curve, place, hard), d }, svgElement("title", {}, curve.label));
  }));
}

/** Draws the steps of the hard optimum. */
export function drawSteps({ segments, hard }, { x, y }) {
  const steps = segments.map(({ start, stop, y: level }) =>
    `M${x(start).toFixed(2)} ${y(level).toFixed(2)}H${x(stop).toFixed(2)}`);
  return svgElement("path", { class: stepsClass(hard), d: steps.join("") });
}

/** The names that stand at the right ends of curves: what is drawn, where its curve ends, and its look. */
export function endLabels({ curves, segments, hard }, narrow) {
  const labels = [];
  curves.forEach((curve, place) => {
    if (!curve.points.length) return;
    const name = narrow ? formatNumber(curve.temperature) : fitText(curve.label, LONGEST_NAME, SMALL_TEXT);
    const look = curveClass(curve, place, hard), level = curve.points.at(-1)[1];
    labels.push({ text: name, title: curve.label, level, look, isShown: curve.current && !hard });
  });
  if (segments?.length) {
    const name = narrow ? "hard" : "hard optimum";
    labels.push({ text: name, title: "hard optimum", level: segments.at(-1).y, look: stepsClass(hard), isShown: hard });
  }
  return labels;
}

/** Draws the names apart from each other, each with a line of its curve's kind that leads to it. */
export function drawEnds({ ends, right, top, bottom, y }) {
  const places = spread(ends.map(({ level }) => y(level)), NAME_GAP, top, bottom - 6);
  return svgElement("g", { class: "ends" }, ...ends.flatMap(({ text, title, level, look, isShown }, i) => [
    svgElement("path", { class: look, d: `M${right} ${y(level).toFixed(2)}L${right + 6} ${places[i].toFixed(2)}h14` }),
    svgElement("g", {},
      svgElement("title", {}, title),
      textElement(text, { class: isShown ? "end-text now" : "end-text", x: right + 24, y: places[i] + 4 }, {
        size: SMALL_TEXT, weight: isShown ? BOLD_NAME : 400,
      }),
    ),
  ]));
}

function curveClass({ current }, place, hard) {
  return `soft soft-${place % KINDS}${current && !hard ? " now" : ""}`;
}

function stepsClass(hard) {
  return hard ? "steps now" : "steps";
}
