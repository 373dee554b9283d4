// Values moved by pointer or keys, and pictures that follow the width of their place.

/**
 * Calls `move(x, y)`, in the picture's pixels, while a pointer is down on it.
 *
 * @param {SVGSVGElement} svg
 * @param {{takes: function(PointerEvent): boolean, move: function(number, number): void}} options `takes` says whether
 *   a pointer that goes down begins a drag.
 */
export function followPointer(svg, { takes, move }) {
  let held = null;
  svg.addEventListener("mousedown", (event) => event.preventDefault()); // would take the focus away
  const follow = (event) => move(...placeIn(svg, event));
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || held !== null || !takes(event)) return;
    held = event.pointerId;
    svg.setPointerCapture(held);
    follow(event);
  });
  svg.addEventListener("pointermove", (event) => { if (event.pointerId === held) follow(event); });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    svg.addEventListener(end, (event) => { if (event.pointerId === held) held = null; });
  }
}

/** [x, y] of a pointer in the picture's pixels. */
export function placeIn(svg, event) {
  const box = svg.getBoundingClientRect(), { width, height } = svg.viewBox.baseVal;
  return [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
}

/**
 * The value that a key of a slider leads to, or null if it is none: arrows move by 1/100 of the range, with shift and
 * page keys by 1/10, Home and End to its ends.
 *
 * @param {KeyboardEvent} event
 * @param {number} value
 * @param {number[]} range
 */
export function movedByKey(event, value, [low, high]) {
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  if (event.key === "Home") return low;
  if (event.key === "End") return high;
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
  if (steps === undefined) return null;
  const share = Math.abs(steps) === 1 && event.shiftKey ? 10 * steps : steps;
  const moved = value + (share * (high - low)) / 100;
  return withDigits(Math.min(Math.max(moved, low), high), Math.floor(Math.log10(high - low)) - 9);
}

/** A value within a range, with no more digits than a pixel of the range tells apart. */
export function movedTo(value, [low, high], pixels) {
  const digits = Math.floor(Math.log10((high - low) / pixels));
  return Math.min(Math.max(withDigits(value, digits), low), high);
}

/** A value rounded to a power of ten; never minus zero. */
function withDigits(value, exponent) {
  if (exponent > 0) return Math.round(value / 10 ** exponent) * 10 ** exponent + 0;
  return Number(value.toFixed(Math.min(-exponent, 100))) + 0;
}

/**
 * Draws a picture whenever it changes and whenever its place gets another width.
 *
 * @param {HTMLElement} host
 * @param {function(object, number): void} draw Takes the properties and the width in pixels.
 * @param {number} least The least width that is drawn.
 * @returns {{update: function(object): void}}
 */
export function drawnToFit(host, draw, least = 280) {
  let props = null, width = Math.max(host.clientWidth || 640, least);
  const watch = new ResizeObserver(([entry]) => {
    const now = Math.round(Math.max(entry.contentRect.width, least));
    if (entry.contentRect.width === 0 || now === width) return;
    width = now;
    if (props) draw(props, width);
  });
  watch.observe(host);
  return {
    update(next) {
      props = next;
      draw(props, width);
    },
  };
}
