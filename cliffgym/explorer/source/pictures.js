// The pictures and their frames: what of a scene each of them is given.

import { measureNames, measureTables, withReturns } from "./behaviour.js";
import { makeBarsPicture } from "./bars_picture.js";
import { element, setText } from "./dom.js";
import { choiceField } from "./fields.js";
import { makeFigure } from "./figures.js";
import { learnedOn, undrawnSentence } from "./learned_places.js";
import { makeLineAxes, makeLineSteps, rangeFields } from "./line_controls.js";
import { makeLinePicture } from "./line_picture.js";
import { makePlanePicture } from "./plane_picture.js";
import { chanceFacts, nearestCliff, undeterminedSentence } from "./readouts.js";
import { expectedComponents } from "./solver.js";
import { firstRange } from "./state.js";
import { makeTreePicture } from "./tree_picture.js";

const NONE = [];

/**
 * The line, with what is above and below it.
 *
 * @param {object} tools `change` (takes parts of a state), `learned` (policies) and `beforeSaving` (see `makeFigure`).
 */
export function makeLine(node, { change, beforeSaving }) {
  const figure = makeFigure(node, "Cliff line", beforeSaving);
  const axes = makeLineAxes(figure.controls, change), steps = makeLineSteps(figure.below, change);
  const points = keepSame(), showUndrawn = undrawnNote(figure);
  const picture = makeLinePicture(figure.host, {
    onMove: (weight) => change((state) => ({ weights: { [state.component]: weight } })),
  });
  return (scene) => {
    const { state, stages, measure, value } = scene, weight = state.weights[state.component];
    const breakpoints = stages.readings.value?.breakpoints ?? NONE;
    axes.update(scene);
    steps.update(scene);
    showUndrawn(undrawnSentence(scene, { [state.component]: state.range }, false));
    figure.setBusy(!stages.readings.fresh || !stages.curves.fresh);
    picture.update({
      label: `${measure.label} over the weight of ${state.component}`,
      xLabel: `weight of ${state.component}`,
      yLabel: measure.label,
      range: state.range,
      weight,
      segments: stages.readings.value?.segments ?? null,
      breakpoints,
      curves: stages.curves.value ?? NONE,
      current: value,
      nearest: stages.readings.fresh ? nearestCliff(stages.readings.value, weight) : null,
      learned: points(learnedOn(scene, [state.component])),
      hard: state.regulariser === "hard",
    });
  };
}

/** A function that returns the last list as long as the next ones are equal, so that pictures need not be redrawn. */
function keepSame() {
  let last = NONE, text = "[]";
  return (list) => {
    const now = JSON.stringify(list);
    if (now !== text) [last, text] = [list, now];
    return last;
  };
}

/** A function that shows how many learned policies a picture leaves out. */
function undrawnNote({ below }) {
  const note = element("p", { class: "more", hidden: true });
  below.append(note);
  return (text) => {
    setText(note, text);
    note.hidden = !text;
  };
}

/** The outcome bars, and what ties leave to chance. */
export function makeBars(node, { beforeSaving }) {
  const figure = makeFigure(node, "Outcomes", beforeSaving), picture = makeBarsPicture(figure.host);
  const facts = element("dl", { class: "facts" });
  figure.below.append(facts);
  return (scene) => {
    const { model, measures, intervals, scales, optimalTrueReturn, learned } = scene;
    const chosen = learned.selectedOf(model);
    const others = chosen ? withReturns(model, expectedComponents(model.judged, chosen.table)) : null;
    const rows = measureNames(model).map((name, i) => ({
      name,
      value: measures[i],
      interval: intervals[i],
      scale: scales[i],
      optimum: name === "true_return" ? optimalTrueReturn : null,
      learned: others ? others[i] : null,
      strong: i >= model.names.length,
    }));
    picture.update({ label: "What the policy is worth.", rows: [...rows.slice(-2).reverse(), ...rows.slice(0, -2)] });
    facts.replaceChildren(...chanceFacts(scene).flatMap(([term, value, why]) =>
      [element("dt", {}, term), element("dd", {}, element("b", {}, value), ` ${why}`)]));
  };
}

/** The plane of two weights. */
export function makePlane(node, { change, beforeSaving }) {
  const figure = makeFigure(node, "Phase plane", beforeSaving), points = keepSame();
  let entry = null, state = null;
  const turn = (plane) => change(({ plane: before, xRange, yRange, weights }) => {
    const kept = new Map([[before[0], xRange], [before[1], yRange]]);
    const [x, y] = plane.map((name) => kept.get(name) ?? firstRange(entry, weights[name], name));
    return { plane, xRange: x, yRange: y };
  });
  // A weight that is chosen for one axis while it is on the other changes places with what was there.
  const beside = (name, [kept, other]) => (name === kept ? other : kept);
  const x = choiceField("Weight on x", (name) => turn([name, beside(name, [state.plane[1], state.plane[0]])]));
  const y = choiceField("Weight on y", (name) => turn([beside(name, state.plane), name]));
  const xRange = rangeFields("x", (range) => change({ xRange: range }));
  const yRange = rangeFields("y", (range) => change({ yRange: range }));
  figure.controls.append(x.node, xRange.node, y.node, yRange.node);
  const note = element("p", { class: "more", role: "status" });
  figure.below.append(note);
  const showUndrawn = undrawnNote(figure);
  const picture = makePlanePicture(figure.host, {
    onMove: (xWeight, yWeight) => change((now) => ({ weights: { [now.plane[0]]: xWeight, [now.plane[1]]: yWeight } })),
  });
  return (scene) => {
    ({ entry, state } = scene);
    const { model, stages, measure } = scene, [xName, yName] = state.plane;
    node.hidden = xName === yName;
    if (node.hidden) return;
    const options = model.names.map((name) => ({ value: name, label: name }));
    x.update(options, xName);
    y.update(options, yName);
    xRange.update(state.xRange);
    yRange.update(state.yRange);
    figure.setBusy(!stages.cells.fresh);
    showUndrawn(undrawnSentence(scene, { [xName]: state.xRange, [yName]: state.yRange }, true));
    const error = stages.plane.error || stages.cells.error;
    setText(note, error ? `The plane could not be drawn: ${error}. Try smaller ranges.` : "");
    picture.update({
      label: `${measure.label} of the optimal policy over the weights of ${xName} and ${yName}`,
      xLabel: `weight of ${xName}`,
      yLabel: `weight of ${yName}`,
      valueLabel: measure.label,
      xRange: state.xRange,
      yRange: state.yRange,
      point: [state.weights[xName], state.weights[yName]],
      cells: stages.cells.value,
      valueRange: measure.range,
      learned: points(learnedOn(scene, state.plane).filter(({ matches }) => matches)),
    });
  };
}

/** The tree of traces of the chosen prompt. */
export function makeTree(node, { change, beforeSaving }) {
  const figure = makeFigure(node, "Traces", beforeSaving);
  const prompt = choiceField("Prompt", (place) => change({ prompt: Number(place), selected: null }));
  figure.controls.append(prompt.node);
  const note = element("p", { class: "more" });
  figure.below.append(note);
  const picture = makeTreePicture(figure.host, {
    onSelect: (selected) => change((state) => ({ selected: state.selected === selected ? null : selected })),
  });
  return (scene) => {
    const { model, state, policy, optimum, reward, learned } = scene;
    prompt.update(model.prompts.map((text, i) => ({ value: String(i), label: `${i}: ${text}` })), String(state.prompt));
    prompt.node.hidden = model.prompts.length < 2;
    const unseen = undeterminedSentence(scene);
    setText(note, unseen);
    note.hidden = !unseen;
    const [incomplete, meant] = measureTables(model).slice(-2);
    picture.update({
      model,
      root: model.promptStates[state.prompt],
      policy,
      optimalActions: optimum.optimalActions,
      selected: state.selected,
      overlay: learned.selectedOf(model)?.table ?? null,
      components: { paid: reward, incomplete, true: meant },
      undetermined: model.undetermined.has(state.prompt),
    });
  };
}
