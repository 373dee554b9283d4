// Frames around the pictures: a title, the picture's own controls, what it says in words, and a button to save it.

import { element, setText } from "./dom.js";
import { button } from "./fields.js";
import { saveSvg } from "./svg.js";

/**
 * Fills a figure of the page.
 *
 * @param {HTMLElement} figure Empty, with an id.
 * @param {string} title
 * @param {function(): string} beforeSaving Makes the picture complete; returns the first part of a file's name.
 * @returns {object} Elements: `host` for the picture, `controls` above it, `below` it; and `setTitle`, `setBusy`.
 */
export function makeFigure(figure, title, beforeSaving) {
  const heading = element("h2", { id: `${figure.id}-title` }, title);
  const host = element("div", { class: "host" });
  const controls = element("div", { class: "controls" }), below = element("div", { class: "below" });
  const save = button("Save SVG", () => {
    const stem = beforeSaving();
    saveSvg(host.querySelector("svg"), `${stem}-${figure.id}.svg`);
  }, { class: "quiet", "aria-label": `Save the picture "${title}" as SVG` });
  figure.append(element("figcaption", {}, heading, save), controls, host, below);
  return {
    host, controls, below, figure,
    setTitle: (text) => setText(heading, text),
    /** While a picture waits for numbers it looks so, if that takes long enough to be seen. */
    setBusy: (busy) => host.classList.toggle("busy", busy),
  };
}
