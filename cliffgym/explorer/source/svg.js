// Elements of pictures, and a picture as a file of its own that looks as it does on the page.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
/** Around a saved picture, in pixels. */
const SAVED_MARGIN = 12;
/** Elements that are painted; all others only group or describe. */
const PAINTED = new Set(["path", "line", "rect", "circle", "ellipse", "polygon", "polyline", "text", "tspan"]);
/** What is written out for a painted element, with the value that a viewer assumes without it. */
const INITIAL = {
  "fill": "#000000", "fill-opacity": "1", "stroke": "none", "stroke-opacity": "1", "stroke-width": "1px",
  "stroke-dasharray": "none", "stroke-linecap": "butt", "stroke-linejoin": "miter", "paint-order": "normal",
  "font-family": "", "font-size": "", "font-weight": "400", "font-style": "normal", "text-anchor": "start",
  "visibility": "visible", "shape-rendering": "auto",
};
const ONLY_TEXT = /^(font|text)-/;
/** Attributes that mean something on the page only. */
const OF_THE_PAGE = /^(class|style|tabindex|role|id|on.*|data-.*|aria-.*)$/;
/** Characters that XML does not allow, even escaped; half a surrogate pair is one. */
const NOT_IN_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/**
 * Makes an SVG element.
 *
 * @param {string} name Of the element.
 * @param {object} [attributes] By name; null, undefined and false are left out. Numbers are rounded to 1/100.
 * @param {...(Node|string|null)} children Texts become text nodes, null is left out.
 * @returns {SVGElement}
 */
export function svgElement(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG_NAMESPACE, name);
  setAttributes(element, attributes);
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** Sets attributes by name as `svgElement` does; null, undefined and false remove one. */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, typeof value === "number" ? Math.round(value * 100) / 100 : value);
  }
}

/**
 * A picture of the page as the text of an SVG file that needs nothing else: no styles, no script, no fonts.
 *
 * Elements marked `data-save="no"` are left out, as are those that the page does not display.
 *
 * @param {SVGSVGElement} svg In the document, since its look is what the page's styles make of it now.
 * @returns {string} Well-formed XML.
 */
export function svgText(svg) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")], copies = [copy, ...copy.querySelectorAll("*")];
  originals.forEach((original, i) => settle(original, copies[i]));
  const drawn = svg.viewBox.baseVal, [background] = plainColour(backgroundOf(svg));
  const [x, y] = [drawn.x, drawn.y].map((start) => start - SAVED_MARGIN);
  const [width, height] = [drawn.width, drawn.height].map((size) => size + 2 * SAVED_MARGIN);
  copy.prepend(svgElement("rect", { x, y, width, height, fill: background }));
  const label = svg.getAttribute("aria-label");
  if (label) copy.prepend(svgElement("title", {}, label));
  setAttributes(copy, { viewBox: `${x} ${y} ${width} ${height}`, width, height, role: "img" });
  return `${new XMLSerializer().serializeToString(copy).replace(NOT_IN_XML, "\uFFFD")}\n`;
}

/** Offers a picture as a file to save; see `svgText`. */
export function saveSvg(svg, fileName) {
  const address = URL.createObjectURL(new Blob([svgText(svg)], { type: "image/svg+xml" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Writes what styles make of an element into the attributes of its copy, and drops what is of the page. */
function settle(original, copy) {
  const style = getComputedStyle(original);
  if (original.dataset.save === "no" || style.display === "none") {
    copy.remove();
    return;
  }
  for (const { name } of [...copy.attributes]) if (OF_THE_PAGE.test(name)) copy.removeAttribute(name);
  if (style.opacity && style.opacity !== "1") copy.setAttribute("opacity", style.opacity);
  if (!PAINTED.has(original.localName)) return;
  const isText = original.localName === "text" || original.localName === "tspan";
  const look = lookOf(style);
  const before = original.localName === "tspan" ? lookOf(getComputedStyle(original.parentNode)) : INITIAL;
  for (const [name, value] of Object.entries(look)) {
    if (ONLY_TEXT.test(name) && !isText) continue;
    if (value === before[name]) copy.removeAttribute(name);
    else copy.setAttribute(name, value);
  }
}

/** The properties of INITIAL as a style has them, colours without alpha. */
function lookOf(style) {
  const look = {};
  for (const name of Object.keys(INITIAL)) look[name] = style.getPropertyValue(name);
  for (const paint of ["fill", "stroke"]) {
    const [colour, alpha] = plainColour(look[paint]);
    look[paint] = colour;
    if (alpha < 1) look[`${paint}-opacity`] = String(Number((alpha * Number(look[`${paint}-opacity`])).toFixed(4)));
  }
  return look;
}

/** A computed colour as [#rrggbb, alpha], which every viewer understands; other paints as they are. */
function plainColour(text) {
  const parts = /^(rgba?|color)\(([^)]*)\)$/.exec(text);
  if (!parts) return [text, 1];
  const scale = parts[1] === "color" ? 255 : 1;
  const numbers = parts[2].replace("srgb", "").split(/[\s,/]+/).filter(Boolean).map(Number);
  const bytes = numbers.slice(0, 3).map((value) => Math.round(Math.min(Math.max(value * scale, 0), 255)));
  return [colourText(bytes), numbers[3] ?? 1];
}

/** #rrggbb for bytes of red, green and blue. */
export function colourText(bytes) {
  return `#${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The colour on which an element stands: that of the nearest element around it that has one. */
function backgroundOf(element) {
  for (let around = element; around; around = around.parentElement) {
    const colour = getComputedStyle(around).backgroundColor;
    if (plainColour(colour)[1] > 0) return colour;
  }
  return "rgb(255, 255, 255)";
}
