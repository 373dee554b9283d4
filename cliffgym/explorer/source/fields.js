// The controls of which panels are made: choices, numbers, sliders. Each has an `update` that shows what is chosen and
// leaves alone what is being typed or dragged.

import { element, setAttribute } from "./dom.js";
import { movedByKey, movedTo } from "./moving.js";
import { readNumber, shorten } from "./text.js";

let lastId = 0;

/** An id that no other element has. */
export function freshId() {
  return `field-${++lastId}`;
}

/**
 * A choice from a list.
 *
 * @param {string} label
 * @param {function(string): void} onChoose Takes the value of an option.
 * @returns {{node: HTMLElement, update: function(object[], string): void}} Options have `value`, `label`, and perhaps
 *   `group` and `disabled`.
 */
export function choiceField(label, onChoose) {
  const id = freshId(), select = element("select", { id, onchange: () => onChoose(select.value) });
  const node = element("div", { class: "field" }, element("label", { for: id }, label), select);
  let shown = "";
  return {
    node,
    update(options, value) {
      const now = JSON.stringify(options);
      if (now !== shown) {
        select.replaceChildren(...grouped(options));
        shown = now;
      }
      if (select.value !== value) select.value = value;
      setAttribute(select, "title", options.find((option) => option.value === value)?.label);
    },
  };
}

/** Option elements, those of one group in a row under its name. */
function grouped(options) {
  const nodes = [];
  let group = null;
  for (const { value, label, group: name = "", disabled = false } of options) {
    const option = element("option", { value, disabled }, shorten(label, 80));
    if (!name) nodes.push(option);
    else {
      if (group?.label !== name) {
        group = element("optgroup", { label: name });
        nodes.push(group);
      }
      group.append(option);
    }
  }
  return nodes;
}

/**
 * A number that is typed, kept exactly as typed.
 *
 * @param {string} label
 * @param {function(number): void} onNumber
 * @param {{hidden?: boolean, live?: boolean}} options `hidden`: the label is for screen readers alone. `live`: each
 *   keystroke counts, not only the finished number.
 * @returns {{node: HTMLElement, input: HTMLInputElement, update: function(number, number[]): void}} `update` takes the
 *   value and the range in which arrow keys move by a hundredth.
 */
export function numberField(label, onNumber, { hidden = false, live = false } = {}) {
  const id = freshId();
  let shown = null, range = [0, 1], isUnfinished = false;
  const read = () => {
    const value = readNumber(input.value);
    if (!Number.isNaN(value) && value !== shown) onNumber(value);
    return !Number.isNaN(value);
  };
  const input = element("input", {
    id, type: "text", class: "number", autocomplete: "off", spellcheck: "false",
    oninput: () => {
      if (live) read();
      else isUnfinished = true;
    },
    onchange: () => {
      isUnfinished = false;
      if (!read()) input.value = String(shown);
    },
    onblur: () => { isUnfinished = false; },
    onkeydown: (event) => {
      if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
      event.preventDefault();
      isUnfinished = false;
      shown = stepped(shown, range, event); // the next key may come before the next frame
      onNumber(shown);
    },
  });
  const name = element("label", { for: id, class: hidden ? "unseen" : null }, label);
  return {
    node: element("div", { class: "field" }, name, input),
    input,
    update(value, between = range) {
      range = between;
      shown = value;
      if (isUnfinished) return;
      const typed = readNumber(input.value), isTyping = document.activeElement === input;
      if (!isTyping || (!Number.isNaN(typed) && typed !== value)) input.value = String(value);
    },
  };
}

/** A value moved by a hundredth of a range, with shift by a tenth; beyond its ends if need be. */
function stepped(value, [low, high], { key, shiftKey }) {
  const step = ((high - low) / (shiftKey ? 10 : 100)) * (key === "ArrowUp" ? 1 : -1);
  return Number((value + step).toPrecision(12));
}

/**
 * A slider.
 *
 * @param {object} attributes Such as aria-label.
 * @param {function(number, boolean): void} onMove Takes the value, and whether a key has led there.
 * @returns {{node: HTMLInputElement, update: function(object): void}} `update` takes `range`, `value` and `text`, what
 *   screen readers say instead of the number.
 */
export function slider(attributes, onMove) {
  const ends = () => [Number(node.min), Number(node.max)];
  const node = element("input", {
    type: "range", step: "any", ...attributes,
    oninput: () => onMove(movedTo(Number(node.value), ends(), node.clientWidth || 200), false),
    onkeydown: (event) => {
      const moved = movedByKey(event, Number(node.value), ends());
      if (moved === null) return;
      event.preventDefault();
      node.value = String(moved); // the next key may come before the next frame
      onMove(moved, true);
    },
  });
  return {
    node,
    update({ range, value, text = null }) {
      setAttribute(node, "min", range[0]);
      setAttribute(node, "max", range[1]);
      if (Number(node.value) !== value) node.value = String(value);
      setAttribute(node, "aria-valuetext", text);
    },
  };
}

/** A button that stays where it is, and focused, also while it can do nothing. */
export function button(label, onPress, attributes = {}) {
  return element("button", {
    type: "button", ...attributes,
    onclick: (event) => { if (event.currentTarget.getAttribute("aria-disabled") !== "true") onPress(event); },
  }, label);
}
