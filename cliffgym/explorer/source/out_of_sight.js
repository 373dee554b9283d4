// What is seen comes first: a picture that is scrolled out of sight is drawn when the page has been calm for a moment.

import { whenCalm } from "./dom.js";

/**
 * @param {HTMLElement} node The picture.
 * @param {function(object): void} draw Draws a scene into it.
 * @param {number} milliseconds Of calm after which it is drawn although it is out of sight, for whoever reads it without
 *   seeing it.
 * @returns {object} `draw(scene)`, at once if the picture is seen; `finish()`, which draws what waits; and `waits`.
 */
export function seenFirst(node, draw, milliseconds) {
  let seen = true, waiting = null; // until it is known, it counts as seen: the first drawing is complete
  const finish = () => {
    if (waiting === null) return;
    const scene = waiting;
    waiting = null;
    draw(scene);
  };
  const later = whenCalm(finish, milliseconds);
  new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    if (seen) finish();
  }).observe(node);
  addEventListener("beforeprint", finish);
  return {
    draw(scene) {
      waiting = scene;
      if (seen) finish();
      else later();
    },
    finish,
    get waits() {
      return waiting !== null;
    },
  };
}
