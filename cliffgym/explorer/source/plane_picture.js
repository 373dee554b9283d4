// Two weights, and the cells of the plane in which one behaviour is optimal: every border is a cliff.

import { setAttributes, svgElement } from "./svg.js";
import { textElement } from "./fitting.js";
import { drawAxes, fixedAxis, linearScale, tickRoom } from "./axes.js";
import { drawnToFit, followPointer, movedByKey, movedTo, placeIn } from "./moving.js";
import { cellsUnder, cornersText, drawCells, drawLegend, drawReading, readingText } from "./plane_cells.js";
import { drawLearnedMark } from "./learned_mark.js";
import { formatNumber } from "./text.js";

/** Room above and below the plot, and its largest height, in pixels. */
const ABOVE = 26, UNDER = 100, TALLEST = 440;
const AXES = ["x", "y"];
/** How near the middles of a label and the point must be for it to cover the label. */
const COVERED_X = 24, COVERED_Y = 15;

/**
 * Makes the picture of two weights.
 *
 * Its properties: `label` of the whole, `xLabel`, `yLabel`, `xRange`, `yRange`, `point` [x, y], `valueLabel`,
 * `cells` [{vertices, plane, value, label}] (`plane` is that of the optimal return; null while they are not known),
 * `valueRange`, and `learned` [{x, y, label, selected}].
 *
 * The point is moved by pointer, or by two sliders that are not seen but focused: left and right move it along x, up
 * and down along y, whichever has the focus.
 *
 * @param {HTMLElement} host
 * @param {{onMove: function(number, number): void}} callbacks `onMove` takes both weights.
 * @returns {{update: function(object): void}}
 */
export function makePlanePicture(host, { onMove }) {
  let shown = null, made = [];
  const still = svgElement("g"), handle = svgElement("g", { class: "plane-handle" });
  const svg = svgElement("svg", { class: "picture plane-picture", role: "img" }, still, handle);
  const moveAlong = (axis, value) => {
    const point = shown.props.point.map((old, i) => (i === axis ? value : old));
    shown.props = { ...shown.props, point }; // the next key may come before the next frame
    onMove(...point);
  };
  const sliders = AXES.map((_, axis) => hiddenSlider((value) => moveAlong(axis, value)));
  host.classList.add("plane-host");
  host.append(...sliders, svg);
  const picture = drawnToFit(host, (props, width) => {
    const needs = stillPlaneNeeds(props, width);
    if (needs.some((need, i) => need !== made[i])) {
      shown = planeFrame(props, width);
      const { height } = shown;
      setAttributes(svg, { viewBox: `0 0 ${width} ${height}`, width, height, "aria-label": props.label });
      still.replaceChildren(...drawPlane(props, shown));
      made = needs;
    }
    shown.props = props;
    const under = cellsUnder(props);
    describeSliders(sliders, props, under);
    handle.replaceChildren(...drawPlanePoint(props, under, shown), ...drawReading(props, under, shown));
    hideCovered(still, placeOfPoint(props, shown));
  });
  const move = (x, y) => onMove(...pointUnder(shown, x, y));
  followPointer(svg, {
    move,
    takes: ({ pointerType, target }) => {
      // A finger beside the handle may be about to scroll the page; it moves the point when it taps.
      if (pointerType === "touch" && !target.closest(".plane-handle")) return false;
      sliders[0].focus({ preventScroll: true });
      return true;
    },
  });
  // Not every browser says what made a click; after a drag with the mouse it changes nothing.
  svg.addEventListener("click", (event) => { if (event.pointerType !== "mouse") move(...placeIn(svg, event)); });
  sliders.forEach((slider, axis) => slider.addEventListener("keydown", (event) => {
    const along = { ArrowLeft: 0, ArrowRight: 0, ArrowUp: 1, ArrowDown: 1 }[event.key] ?? axis;
    const { point, xRange, yRange } = shown.props, moved = movedByKey(event, point[along], [xRange, yRange][along]);
    if (moved === null) return;
    event.preventDefault();
    moveAlong(along, moved);
  }));
  return picture;
}

/** All that the still part of the picture is made of: while none of it changes, it stays. */
function stillPlaneNeeds(props, width) {
  const { label, xLabel, yLabel, valueLabel, xRange, yRange, valueRange, cells, learned } = props;
  const marks = learned.length ? learned : null;
  return [width, label, xLabel, yLabel, valueLabel, ...xRange, ...yRange, ...valueRange, cells, marks];
}

/** Where everything goes, in pixels. */
function planeFrame({ xRange, yRange }, width) {
  const yAxis = fixedAxis(yRange, 6), left = tickRoom(yAxis), right = width - 14;
  const top = ABOVE, bottom = top + Math.round(Math.min(right - left, TALLEST));
  const xAxis = fixedAxis(xRange, Math.max(2, Math.round((right - left) / 70)));
  const x = linearScale(xRange, [left, right]), y = linearScale(yRange, [bottom, top]);
  return { width, height: bottom + UNDER, left, right, top, bottom, x, y, xAxis, yAxis };
}

function drawPlane(props, frame) {
  const { xLabel, yLabel, cells, learned } = props, { left, right, top, bottom, x, y } = frame;
  const middle = { x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle" };
  const inside = learned.filter((point) => isWithin(point.x, props.xRange) && isWithin(point.y, props.yRange));
  return [
    svgElement("rect", { class: "plane-ground", x: left, y: top, width: right - left, height: bottom - top }),
    cells ? drawCells(props, frame) : textElement("Looking for borders\u2026", { class: "note", ...middle }),
    drawAxes(frame, { xLabel, yLabel, labelTop: 14, grid: false }),
    drawLegend(props, frame),
    ...inside.map((point) => {
      const title = `${point.label}: ${xLabel} ${formatNumber(point.x)}, ${yLabel} ${formatNumber(point.y)}`;
      return drawLearnedMark(x(point.x), y(point.y), point, { title, hollow: false, left, right });
    }),
  ];
}

/** Where the point is drawn: at the border of the plot if it is outside. */
function placeOfPoint({ point: [px, py] }, { x, y, left, right, top, bottom }) {
  return { cx: Math.min(Math.max(x(px), left), right), cy: Math.min(Math.max(y(py), top), bottom) };
}

/** Hides the labels that the point would cover in part; what is there can be read below the plot. */
function hideCovered(still, { cx, cy }) {
  for (const label of still.querySelectorAll(".cell-text")) {
    const [dx, dy] = [label.getAttribute("x") - cx, label.getAttribute("y") - 4 - cy];
    setAttributes(label, { visibility: Math.abs(dx) < COVERED_X && Math.abs(dy) < COVERED_Y ? "hidden" : null });
  }
}

/** The point with the borders of the cells under it, and marks on both axes. */
function drawPlanePoint(props, under, frame) {
  const { x, y, left, bottom } = frame, { cx, cy } = placeOfPoint(props, frame);
  const marks = `M${cx.toFixed(2)} ${bottom}l-4.5 7h9ZM${left} ${cy.toFixed(2)}l-7 -4.5v9Z`;
  return [
    ...under.map((cell) => svgElement("polygon", { class: "cell-here", points: cornersText(cell, x, y) })),
    svgElement("path", { class: "axis-mark", d: marks }),
    svgElement("circle", { class: "catcher", cx, cy, r: 22, "data-save": "no" }),
    svgElement("circle", { class: "plane-point-edge", cx, cy, r: 9 }),
    svgElement("circle", { class: "plane-point", cx, cy, r: 6.5 }),
    svgElement("g", { class: "focus-ring", "data-save": "no" },
      svgElement("circle", { class: "ring-halo", cx, cy, r: 14 }), svgElement("circle", { cx, cy, r: 14 })),
  ];
}

/** [x, y] of the weights under a place in pixels, within their ranges. */
function pointUnder({ x, y, left, right, top, bottom, props }, px, py) {
  return [movedTo(x.inverse(px), props.xRange, right - left), movedTo(y.inverse(py), props.yRange, bottom - top)];
}

function isWithin(value, [low, high]) {
  return value >= low && value <= high;
}

/** A slider for those who cannot drag; it is there for the keyboard and for screen readers, but not seen. */
function hiddenSlider(onValue) {
  const slider = document.createElement("input");
  slider.type = "range";
  slider.step = "any";
  slider.className = "hidden-slider";
  slider.addEventListener("input", () => onValue(Number(slider.value)));
  return slider;
}

function describeSliders(sliders, { label, xLabel, yLabel, valueLabel, xRange, yRange, point }, under) {
  const value = under.length ? `; ${valueLabel}: ${readingText(under)}` : "";
  sliders.forEach((slider, axis) => {
    const [low, high] = [xRange, yRange][axis], text = formatNumber(point[axis]);
    setAttributes(slider, {
      min: String(low), max: String(high), "aria-label": `${label}: ${[xLabel, yLabel][axis]}`,
      "aria-valuetext": `${text}${value}`,
    });
    slider.value = String(point[axis]);
  });
}
