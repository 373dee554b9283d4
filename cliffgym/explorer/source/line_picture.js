// One weight from left to right, a measure of the policy from bottom to top: the optimum snaps, soft policies glide.

import { setAttributes, svgElement } from "./svg.js";
import { SMALL_TEXT, textElement, textWidth } from "./fitting.js";
import { drawAxes, fixedAxis, linearScale, roundAxis, tickRoom } from "./axes.js";
import { drawnToFit, followPointer, movedByKey, movedTo, placeIn } from "./moving.js";
import { CLIFF_ROW_HEIGHT, cliffRows, drawCliffs } from "./line_cliffs.js";
import { drawCurves, drawEnds, drawSteps, endLabels } from "./line_curves.js";
import { drawCursor, drawCursorLine, drawNearest } from "./line_cursor.js";
import { drawLearnedMark } from "./learned_mark.js";
import { formatNumber } from "./text.js";

/** Room for the y label, below the plot, and within the plot above and below all values, in pixels. */
const HEADING = 30, BELOW = 46, INNER_TOP = 20, INNER_BOTTOM = 28;
/** Pictures narrower than this have short names at the ends of curves. */
const NARROW = 480;
/** A pointer this near to a cliff, in pixels, is meant to be on it, unless cliffs are close together. */
const MAGNET = 4;

/**
 * Makes the picture of one weight.
 *
 * Its properties: `label` of the whole, `xLabel`, `yLabel`, `range` [low, high] of the weight, `weight`, `segments`
 * [{start, stop, y}] of the hard optimum (null while they are not known), `breakpoints` [{position, low, high, y,
 * states, totalVariation}], `curves` [{temperature, label, points: [[x, y], ...], current}], `current` (the measure of
 * the policy that is shown), `nearest` {position, distance} or null, `learned` [{x, y, label, matches, selected}], and
 * `hard`, whether the policy that is shown is the hard optimum.
 *
 * @param {HTMLElement} host
 * @param {{onMove: function(number): void}} callbacks `onMove` takes the weight.
 * @returns {{update: function(object): void}}
 */
export function makeLinePicture(host, { onMove }) {
  const under = svgElement("g"), still = svgElement("g", { "aria-hidden": "true" });
  const cursor = svgElement("g", { class: "cursor", role: "slider", tabindex: 0 });
  const svg = svgElement("svg", { class: "picture line-picture", role: "group" }, under, still, cursor);
  host.append(svg);
  let shown = null, made = [];
  const picture = drawnToFit(host, (props, width) => {
    const needs = stillNeeds(props, width);
    if (needs.some((need, i) => need !== made[i])) {
      shown = frameOf(props, width);
      const { height } = shown;
      setAttributes(svg, { viewBox: `0 0 ${width} ${height}`, width, height, "aria-label": props.label });
      still.replaceChildren(...drawStill(props, shown));
      made = needs;
    }
    shown.props = props;
    describeCursor(cursor, props);
    under.replaceChildren(drawCursorLine(props, shown));
    cursor.replaceChildren(drawNearest(props, shown), ...drawCursor(props, shown));
  });
  const move = (place) => onMove(weightAt(shown, place));
  /** Goes to the cliff whose label is pressed; returns whether something else is. */
  const press = (target) => {
    const label = target.closest("[data-cliff]");
    cursor.focus({ preventScroll: true });
    if (label) onMove(Number(label.dataset.cliff));
    return !label;
  };
  followPointer(svg, {
    // A finger beside the handle may be about to scroll the page; it moves the cursor when it taps.
    takes: ({ pointerType, target }) => (pointerType !== "touch" || target.closest(".grip")) && press(target),
    move,
  });
  // Not every browser says what made a click; after a drag with the mouse it changes nothing.
  svg.addEventListener("click", (event) => {
    if (event.pointerType !== "mouse" && press(event.target)) move(placeIn(svg, event)[0]);
  });
  cursor.addEventListener("keydown", (event) => {
    const { weight, range, breakpoints } = shown.props;
    const moved = movedByKey(event, weight, range) ?? cliffByKey(event, weight, breakpoints);
    if (moved === null) return;
    event.preventDefault();
    shown.props = { ...shown.props, weight: moved }; // the next key may come before the next frame
    onMove(moved);
  });
  return picture;
}

/** All that the still part of the picture is made of: while none of it changes, it stays. */
function stillNeeds(props, width) {
  const { label, xLabel, yLabel, range, segments, breakpoints, curves, learned, hard } = props;
  const marks = learned.length ? learned : null;
  return [width, label, xLabel, yLabel, ...range, segments, breakpoints, curves, marks, hard, ...extent(props)];
}

/** Where everything goes, in pixels. */
function frameOf(props, width) {
  const { range, breakpoints } = props, ends = endLabels(props, width < NARROW);
  const height = Math.round(Math.min(Math.max(width * 0.58, 310), 430));
  const top = HEADING + cliffRows(breakpoints) * CLIFF_ROW_HEIGHT, bottom = height - BELOW;
  const yAxis = roundAxis(...extent(props), Math.max(3, Math.round((bottom - top) / 55)));
  const left = tickRoom(yAxis);
  const right = width - Math.ceil(Math.max(14, ...ends.map(({ text }) => textWidth(text, SMALL_TEXT) + 27)));
  const x = linearScale(range, [left, right]), y = linearScale(yAxis.range, [bottom - INNER_BOTTOM, top + INNER_TOP]);
  const xAxis = fixedAxis(range, Math.max(2, Math.round((right - left) / 80)));
  const places = breakpoints.map(({ position }) => x(position));
  const magnet = Math.min(MAGNET, ...places.slice(1).map((place, i) => (place - places[i]) / 4));
  return { width, height, left, right, top, bottom, x, y, xAxis, yAxis, ends, magnet };
}

/** [least, most] of all that is drawn. */
function extent({ range: [first, last], segments, breakpoints, curves, learned, current }) {
  let low = current, high = current;
  const take = (value) => {
    if (value < low) low = value;
    if (value > high) high = value;
  };
  for (const { y } of segments ?? []) take(y);
  for (const point of breakpoints) {
    take(point.low);
    take(point.high);
  }
  for (const { points } of curves) for (const point of points) take(point[1]);
  for (const { x, y } of learned) if (x >= first && x <= last) take(y);
  return [low, high];
}

function drawStill(props, frame) {
  const { xLabel, yLabel, segments, learned, range: [low, high] } = props;
  const { left, right, top, bottom, width, height } = frame;
  const middle = { x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle" };
  return [
    svgElement("rect", { class: "catcher", width, height, "data-save": "no" }),
    drawAxes(frame, { xLabel, yLabel, labelTop: 14, grid: true }),
    drawCurves(props, frame),
    segments ? drawSteps(props, frame) : textElement("Looking for cliffs\u2026", { class: "note halo", ...middle }),
    drawCliffs(props, frame),
    drawEnds(frame),
    ...learned.filter(({ x }) => x >= low && x <= high).map((point) => drawPoint(point, props, frame)),
  ];
}

/** A learned policy at the weight that it was trained with; hollow if its other weights are not those shown. */
function drawPoint(point, { xLabel, yLabel }, { x, y, left, right }) {
  const other = point.matches ? "" : "; trained with other weights than those shown";
  const title = `${point.label}: ${yLabel} ${formatNumber(point.y)} at ${xLabel} ${formatNumber(point.x)}${other}`;
  return drawLearnedMark(x(point.x), y(point.y), point, { title, hollow: !point.matches, left, right });
}

/** What the slider says of itself. */
function describeCursor(cursor, { xLabel, yLabel, range: [low, high], weight, current, nearest }) {
  let cliff = "";
  if (nearest?.distance === 0) cliff = "; on a cliff";
  else if (nearest) {
    cliff = `; nearest cliff at ${formatNumber(nearest.position)}, ${formatNumber(nearest.distance)} away`;
  }
  setAttributes(cursor, {
    "aria-label": xLabel,
    "aria-orientation": "horizontal",
    "aria-valuemin": String(low),
    "aria-valuemax": String(high),
    "aria-valuenow": String(weight),
    "aria-valuetext": `${formatNumber(weight)}: ${yLabel} ${formatNumber(current)}${cliff}`,
    "aria-description": "n and p go to the next and the previous cliff",
  });
}

/** The weight under a pointer; on a cliff if it is nearly there. */
function weightAt({ x, left, right, magnet, props }, place) {
  const near = props.breakpoints.find(({ position }) => Math.abs(x(position) - place) <= magnet);
  return near ? near.position : movedTo(x.inverse(place), props.range, right - left);
}

/** The next cliff for the key n, the one before for p; null for other keys and where there is none. */
function cliffByKey({ key, altKey, ctrlKey, metaKey }, weight, breakpoints) {
  if (altKey || ctrlKey || metaKey) return null;
  const positions = breakpoints.map(({ position }) => position);
  if (key === "n") return positions.find((position) => position > weight) ?? null;
  return key === "p" ? positions.findLast((position) => position < weight) ?? null : null;
}
