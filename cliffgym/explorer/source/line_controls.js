// The line's own controls: what is on its axes, the weight, and steps onto and just beside its cliffs.

import { RETURNS } from "./behaviour.js";
import { element, setAttribute, setText, whenCalm } from "./dom.js";
import { button, choiceField, numberField, slider } from "./fields.js";
import { isOn, lineSentence, nearestCliff, radiusSentence } from "./readouts.js";
import { firstRange } from "./state.js";
import { formatNumber } from "./text.js";

/** Milliseconds of calm after which screen readers are told what the line says now. */
const CALM = 700;
/** Milliseconds for which the last sentence may stand while the next is not known. */
const PATIENCE = 150;
const LOOKING = "Looking for cliffs\u2026";

/** Two number fields for the ends of a range. `onRange` takes [low, high]. */
export function rangeFields(name, onRange) {
  let range = [0, 1];
  const low = numberField(`${name} from`, (value) => onRange([value, range[1]]));
  const high = numberField("to", (value) => onRange([range[0], value]));
  setAttribute(high.input, "aria-label", `${name} to`);
  return {
    node: element("div", { class: "range" }, low.node, high.node),
    update(now) {
      range = now;
      low.update(now[0], now);
      high.update(now[1], now);
    },
  };
}

/** What is on the axes of the line, to go above it. */
export function makeLineAxes(host, change) {
  const component = choiceField("Weight on x", (name) =>
    change(({ weights }) => ({ component: name, range: firstRange(entry, weights[name], name) })));
  const range = rangeFields("x", (ends) => change({ range: ends }));
  const measure = choiceField("Measure on y", (name) => change({ measure: name }));
  let entry = null;
  host.append(component.node, range.node, measure.node);
  return {
    update(scene) {
      const { state } = scene;
      ({ entry } = scene);
      component.update(scene.model.names.map((name) => ({ value: name, label: name })), state.component);
      range.update(state.range);
      measure.update(measureOptions(scene), state.measure);
    },
  };
}

/** All measures: components, returns, uses of tokens, and the choice in the state that is looked at. */
function measureOptions({ model, state, here }) {
  const legal = model.tokens.filter((token, a) => model.legal[here * model.A + a] || state.measure === `here ${token}`);
  const where = model.stateLabels[here];
  return [
    ...model.names.map((name) => ({ value: name, label: name, group: "Components" })),
    ...RETURNS.map((name) => ({ value: name, label: name, group: "Returns" })),
    ...model.tokens.map((token) => ({ value: `uses ${token}`, label: `uses of ${token}`, group: "Uses per trace" })),
    ...legal.map((token) => ({ value: `here ${token}`, label: `P(${token})`, group: `Probability at ${where}` })),
  ];
}

/** The slider of the weight, steps to cliffs, and sentences, to go below the line. */
export function makeLineSteps(host, change) {
  let scene = null;
  const move = (weight) => change({ weights: { [scene.state.component]: weight } });
  const name = element("span", { class: "weight-name" });
  const bar = slider({ "aria-label": "Weight on the line" }, move);
  const number = numberField("Weight on the line, exactly", move, { hidden: true, live: true });
  const steps = [
    ["\u25c2 cliff", "To the previous cliff", (weight) => cliffsOf(scene).findLast((cliff) => isBeyond(cliff, weight, -1))],
    ["just before", "Just before the nearest cliff", (weight) => beside(weight, -1)],
    ["on it", "Onto the nearest cliff", (weight) => nearestCliff(scene.stages.readings.value, weight)?.position],
    ["just after", "Just after the nearest cliff", (weight) => beside(weight, 1)],
    ["cliff \u25b8", "To the next cliff", (weight) => cliffsOf(scene).find((cliff) => isBeyond(cliff, weight, 1))],
  ].map(([label, title, goal]) => {
    const target = () => goal(scene.state.weights[scene.state.component]);
    const node = button(label, () => {
      const weight = target();
      if (weight !== undefined) move(weight);
    }, { class: "step", title, "aria-label": title });
    return { node, target };
  });
  const beside = (weight, side) => {
    const nearest = nearestCliff(scene.stages.readings.value, weight), [low, high] = scene.state.range;
    const hair = Math.max(1e-6, 1e-4 * (high - low));
    return nearest ? Number((nearest.position + side * hair).toPrecision(12)) : undefined;
  };
  const sentence = element("p", { class: "sentence" }), radius = element("p", { class: "more" });
  const spoken = element("p", { class: "unseen", "aria-live": "polite" });
  const speak = whenCalm((text) => setText(spoken, text), CALM);
  let asked = null; // when cliffs were asked for that are not known yet
  const row = element("div", { class: "steps-row", role: "group", "aria-label": "Steps to cliffs" });
  row.append(...steps.map(({ node }) => node));
  host.append(element("div", { class: "cursor-row" }, name, bar.node, number.node), row, sentence, radius, spoken);
  return {
    update(now) {
      scene = now;
      const { state } = now, weight = state.weights[state.component];
      setText(name, state.component);
      bar.update({ range: state.range, value: weight, text: `${state.component} ${formatNumber(weight)}` });
      number.update(weight, state.range);
      for (const { node, target } of steps) setAttribute(node, "aria-disabled", target() === undefined ? "true" : null);
      setText(radius, radiusSentence(now));
      const known = lineSentence(now), time = performance.now();
      asked = known === null ? (asked ?? time) : null;
      const text = known ?? (time - asked < PATIENCE && sentence.textContent ? sentence.textContent : LOOKING);
      setText(sentence, text);
      sentence.classList.toggle("on-cliff", cliffsOf(now).some((cliff) => isOn(cliff, weight)));
      speak(text);
    },
  };
}

/** Whether a cliff is on one side of a weight, 1 or -1, and not under it. */
const isBeyond = (cliff, weight, side) => side * (cliff - weight) > 0 && !isOn(cliff, weight);

/** Where all cliffs of the traced line are, as far as that is known. */
const cliffsOf = ({ stages }) => stages.readings.value?.cliffs ?? [];
