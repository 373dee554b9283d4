// The panels beside the pictures: which scenario, what is paid, and how the agent chooses.

import { REGULARISERS, TIE_RULES } from "./behaviour.js";
import { element, setAttribute, setText } from "./dom.js";
import { choiceField, freshId, numberField, slider } from "./fields.js";
import { TEMPERATURES, firstRange, rewardOf, rewardWeights } from "./state.js";
import { formatNumber, parametersText, shorten, sizeText } from "./text.js";

const LONGEST_ARGUMENTS = 500;

/** The scenario and its sizes, or its arguments where there are none to choose. `change` takes parts of a state. */
export function makeScenarioPanel(host, data, change) {
  const scenario = choiceField("Scenario", (id) => change({ id }));
  const summary = element("p", { class: "summary" }), sizes = element("div", { class: "sizes" });
  const arguments_ = element("dd", {});
  const fixed = element("dl", { class: "facts arguments" }, element("dt", {}, "Arguments"), arguments_);
  host.append(scenario.node, sizes, fixed, summary);
  scenario.node.classList.add("which");
  let fields = [], shown = null;
  return {
    update({ entry, variant, state }) {
      scenario.update(data.scenarios.map(({ id }) => ({ value: id, label: id })), entry.id);
      setText(summary, entry.summary);
      summary.hidden = !entry.summary;
      const text = entry.sizes.length ? "" : shorten(parametersText(variant.parameters), LONGEST_ARGUMENTS);
      setText(arguments_, text);
      setAttribute(arguments_, "title", text);
      fixed.hidden = !text;
      if (entry !== shown) {
        fields = entry.sizes.map(({ name }) =>
          choiceField(name, (value) => change({ parameters: { [name]: value } })));
        sizes.replaceChildren(...fields.map(({ node }) => node));
        shown = entry;
      }
      fields.forEach((field, i) => {
        const { name, values } = entry.sizes[i];
        const texts = values.map(sizeText);
        const options = texts.map((text) => ({ value: text, label: text.replaceAll(",", ", ") }));
        field.update(options, sizeText(state.parameters[name]));
      });
    },
  };
}

/** The named reward, and a slider and a number for the weight of every component. */
export function makeWeightsPanel(host, change) {
  const named = choiceField("Named reward", (reward) => change({ reward }));
  const rows = element("div", { class: "weights", role: "group", "aria-label": "Weights of components" });
  host.append(named.node, rows);
  let parts = [], shown = null, reaches = new Map();
  return {
    update({ entry, variant, model, state, scales }) {
      const reward = rewardOf(variant, state.weights);
      const own = reward === null ? [{ value: "", label: "weights of your own", disabled: true }] : [];
      const others = Object.keys(variant.rewards).map((name) => ({ value: name, label: name }));
      named.update([...own, ...others], reward ?? "");
      if (model.names.join("\n") !== shown?.names || entry !== shown.entry) {
        parts = model.names.map((name) => weightRow(name, change));
        rows.replaceChildren(...parts.map(({ node }) => node));
        shown = { names: model.names.join("\n"), entry };
        reaches = new Map(model.names.map((name) => [name, firstRange(entry, largestWeight(variant, name), name)]));
      }
      parts.forEach((row, k) => {
        const name = model.names[k], weight = state.weights[name];
        const [low, high] = axisRange(state, name) ?? reaches.get(name);
        reaches.set(name, [Math.min(low, weight), Math.max(high, weight)]);
        const idle = scales[k][0] === 0 && scales[k][1] === 0;
        row.update({ weight, range: reaches.get(name), onLine: name === state.component, idle });
      });
    },
  };
}

/** The range of the picture on whose axis a component is, or null. */
function axisRange({ component, range, plane, xRange, yRange }, name) {
  return name === component ? range : name === plane[0] ? xRange : name === plane[1] ? yRange : null;
}

/** The weight furthest from 0 that a named reward gives to a component. */
function largestWeight(variant, name) {
  const weights = Object.keys(variant.rewards).map((reward) => rewardWeights(variant, reward)[name]);
  return weights.reduce((most, weight) => (Math.abs(weight) > Math.abs(most) ? weight : most), 0);
}

function weightRow(name, change) {
  const move = (weight) => change({ weights: { [name]: weight } });
  const number = numberField(`Weight of ${name}`, move, { hidden: true, live: true });
  const bar = slider({ "aria-label": `Weight of ${name}, slider` }, move);
  const badge = element("span", { class: "badge" });
  const label = element("span", { class: "weight-name", title: name }, name);
  const head = element("div", { class: "weight-head" }, label, badge);
  const node = element("div", { class: "weight" }, head, bar.node, number.node);
  return {
    node,
    update({ weight, range, onLine, idle }) {
      setAttribute(node, "class", onLine ? "weight on-line" : "weight");
      setText(badge, onLine ? "on the line" : idle ? "never paid" : "");
      setAttribute(badge, "title", idle ? "No trace of legal tokens is paid for it." : null);
      bar.update({ range, value: weight, text: formatNumber(weight) });
      number.update(weight, range);
    },
  };
}

/** The slider of temperatures is that of their logarithms; what is a bit beyond its low end is "hard". */
const LOGS = TEMPERATURES.map(Math.log10), HARD = LOGS[0] - 0.5;
const TEMPERATURE_TICKS = [["hard", HARD], ["0.01", -2], ["0.1", -1], ["1", 0], ["10", 1]];
const REGULARISER_NAMES = { hard: "none (hard)", entropy: "entropy", kl: "KL to reference" };
const TIE_NAMES = {
  uniform: "uniform: all tied tokens alike",
  first: "first: the tied token named first",
  worst: "worst for the true return",
  best: "best for the true return",
};

/** How the agent is regularised, and how ties are broken. */
export function makeTrainingPanel(host, change) {
  let last = "entropy", state = null;
  const group = freshId();
  const choices = REGULARISERS.map((value) => {
    const choose = () => change({ regulariser: value });
    const input = element("input", { type: "radio", name: group, value, onchange: choose });
    return { value, input, node: element("label", { class: "choice" }, input, REGULARISER_NAMES[value]) };
  });
  const bar = slider({ "aria-label": "Temperature, slider" }, (place, byKey) => {
    if (isHard(place, byKey, state)) change({ regulariser: "hard" });
    else change({ regulariser: last, temperature: temperatureAt(place) });
  });
  const number = numberField("Temperature", (temperature) => change({ temperature }));
  const ties = choiceField("Ties are broken", (tieRule) => change({ tieRule }));
  host.append(
    element("fieldset", { class: "choices" }, element("legend", {}, "Regulariser"), ...choices.map(({ node }) => node)),
    element("div", { class: "temperature" }, number.node, bar.node, temperatureTicks()),
    ties.node,
  );
  return {
    update(scene) {
      ({ state } = scene);
      const { regulariser, temperature } = state, hard = regulariser === "hard";
      if (!hard) last = regulariser;
      for (const { value, input } of choices) input.checked = value === regulariser;
      const name = regulariser === "kl" ? "kl_coef" : "Temperature";
      setText(number.node.firstChild, name);
      setAttribute(bar.node, "aria-label", `${name}, slider`);
      const [place, text] = hard ? [HARD, "hard"] : [Math.log10(temperature), formatNumber(temperature)];
      bar.update({ range: [HARD, LOGS[1]], value: place, text });
      number.update(temperature, [0, temperature * 10]);
      ties.update(TIE_RULES.map((value) => ({ value, label: TIE_NAMES[value] })), state.tieRule);
    },
  };
}

/** Numbers below the slider, where its thumb stands for them. */
function temperatureTicks() {
  const ticks = element("div", { class: "ticks", "aria-hidden": "true" });
  for (const [text, place] of TEMPERATURE_TICKS) {
    const tick = element("span", {}, text);
    tick.style.left = `${(100 * (place - HARD)) / (LOGS[1] - HARD)}%`;
    ticks.append(tick);
  }
  return ticks;
}

/** Whether a place of the slider is "hard": by pointer the lower half of the gap, by keys its end. */
function isHard(place, byKey, { regulariser, temperature }) {
  if (!byKey) return place < (HARD + LOGS[0]) / 2;
  return place <= HARD || (regulariser !== "hard" && place < LOGS[0] && temperature === TEMPERATURES[0]);
}

function temperatureAt(place) {
  const [least, most] = TEMPERATURES;
  return Math.min(most, Math.max(least, Number((10 ** place).toPrecision(3))));
}
