// A sequential scale of colours: from blue over green to yellow, always lighter, so that it reads in grey and with any
// colour vision. Mixed in OKLab, where equal steps look equal.

import { colourText } from "./svg.js";

const ANCHORS = [[0.42, -0.02, -0.12], [0.66, -0.09, -0.01], [0.92, -0.05, 0.14]]; // L, a, b
const DARK_INK = "#101418", LIGHT_INK = "#ffffff";

/** The colour at `share` in [0, 1] of the scale, as #rrggbb. */
export function scaleColour(share) {
  return encode(linearLight(share));
}

/** The colour, dark or light, in which text reads best on `scaleColour(share)`. */
export function inkOn(share) {
  const [red, green, blue] = linearLight(share);
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.0565 ? LIGHT_INK : DARK_INK;
}

/** Where a value is between the ends of its range: in [0, 1], in the middle if they are one. */
export function shareOf(value, [low, high]) {
  return high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0.5;
}

/** Linear sRGB in [0, 1] (Ottosson, 2020). */
function linearLight(share) {
  const place = share * (ANCHORS.length - 1), i = Math.min(Math.floor(place), ANCHORS.length - 2);
  const [lightness, a, b] = ANCHORS[i].map((value, axis) => value + (place - i) * (ANCHORS[i + 1][axis] - value));
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((value) => Math.min(Math.max(value, 0), 1));
}

/** #rrggbb for linear sRGB. */
function encode(linear) {
  return colourText(linear.map((value) => {
    const encoded = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
    return Math.round(255 * encoded);
  }));
}
