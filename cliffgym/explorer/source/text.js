// How numbers, sizes and names read.

/** The sign that minus is: as wide as plus, never broken off its number, and read aloud. */
const MINUS = "\u2212";

/**
 * A number as the page writes it: at most `digits` significant ones, no noise of rounding around 0.
 *
 * @param {number} value
 * @param {number} [digits]
 */
export function formatNumber(value, digits = 4) {
  if (Number.isNaN(value)) return "undefined";
  if (!Number.isFinite(value)) return value > 0 ? "\u221e" : `${MINUS}\u221e`;
  if (Math.abs(value) < 1e-12) return "0";
  return String(Number(value.toPrecision(digits))).replaceAll("-", MINUS);
}

/** The number that a text says, with any minus sign and with a point or a comma; NaN if it says none. */
export function readNumber(text) {
  const plain = text.trim().replace(MINUS, "-").replace(",", ".");
  return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : NaN;
}

/** An interval in words. */
export function formatInterval([low, high]) {
  const ends = [low, high].map((end) => formatNumber(end));
  return ends[0] === ends[1] ? ends[0] : `${ends[0]} to ${ends[1]}`;
}

/** "1 state", "2 states"; `many` is what several are called. */
export function plural(count, noun, many = `${noun}s`) {
  return `${count} ${count === 1 ? noun : many}`;
}

/** A text cut to a length, with an ellipsis where it is cut. */
export function shorten(text, length) {
  return text.length <= length ? text : `${text.slice(0, length - 1)}\u2026`;
}

/** The value of a size: a list as its parts, without spaces; also what the address of the page holds. */
export function sizeText(value) {
  if (Array.isArray(value)) return value.map(sizeText).join(",");
  return value !== null && typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The value of a size for reading: a list in brackets. */
export function valueText(value) {
  return Array.isArray(value) ? `[${value.map(valueText).join(", ")}]` : sizeText(value);
}

/** The arguments of a scenario as one line: "answers = 3, formats = [plain, json]". */
export function parametersText(parameters) {
  return Object.entries(parameters).map(([name, value]) => `${name} = ${valueText(value)}`).join(", ");
}

/** A list of names in words: "a, b and c". */
export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}
