// From what is chosen to what the pictures show. What is quick is computed at once, the rest by stages in slices.

import { behaviour, possible, weightRadius } from "./behaviour.js";
import { lineReadings, softCurves, tracedLine } from "./line_scene.js";
import { makeMeasure } from "./measures.js";
import { decodeModel } from "./model.js";
import { cellReadings, tracedPlane } from "./plane_scene.js";
import { reachableBy } from "./solver.js";
import { Stage, finishStages, stagesSteps } from "./stages.js";
import { variantOf } from "./state.js";
import { Slices } from "./steps.js";

/** Milliseconds that slow computations may take at a time; the rest of a frame is for drawing. */
const SLICE = 8;
/** In the order in which they are computed: each may need what those before it found. */
const STAGES = ["line", "readings", "learned", "curves", "plane", "cells"];

/** Keeps models, scales and stages from one look to the next. */
export class Scenes {
  /**
   * @param {object} data Of the page.
   * @param {LearnedPolicies} learned
   * @param {function(): void} arrived Called when something slow is done.
   */
  constructor(data, learned, arrived) {
    this.data = data;
    this.learned = learned;
    this.arrived = arrived;
    this.kept = new Map();
    this.slices = new Slices(SLICE);
    this.stages = Object.fromEntries(STAGES.map((name) => [name, new Stage()]));
    this.measure = null;
  }

  /** A size of a scenario as its `model` and the `scales` of its bars, made when it is first looked at. */
  keep(entry, variant) {
    if (!this.kept.has(variant)) {
      const model = decodeModel(entry, variant);
      this.kept.set(variant, { number: this.kept.size, model, scales: possible(model) });
    }
    return this.kept.get(variant);
  }

  /**
   * All about a state that is quick to compute. The slow rest is started; `stages` holds what there is of it.
   *
   * @param {object} state
   * @returns {object} What `behaviour` returns, and `data`, `entry`, `variant`, `model`, `state`, `weights` (K,),
   *   `here` (the state that is looked at), `measure`, `value` (the measure of the policy), `scales` (see `possible`),
   *   `radius` (see `weightRadius`), `tied` (how many states that matter are tied), `learned` and `stages`.
   */
  look(state) {
    const entry = this.data.scenarios.find((each) => each.id === state.id), variant = variantOf(entry, state);
    const { number, model, scales } = this.keep(entry, variant);
    const weights = Float64Array.from(model.names, (name) => state.weights[name]);
    const here = state.selected ?? model.promptStates[state.prompt];
    const measure = this.measureOf(model, state.measure, here);
    const found = behaviour(model, { ...state, weights });
    const scene = {
      ...found,
      data: this.data, entry, variant, model, state, weights, here, measure, scales,
      value: measure.of(found.policy),
      radius: weightRadius(model, found.optimum),
      tied: countTied(model, found.optimum.optimalActions),
      learned: this.learned,
      stages: this.stages,
    };
    if (this.want(scene, number)) {
      const steps = stagesSteps(Object.values(this.stages), this.arrived);
      this.slices.start("stages", steps, () => undefined, (error) => { throw error; });
    }
    return scene;
  }

  measureOf(model, name, here) {
    const last = this.measure;
    if (last?.model !== model || last.name !== name || last.here !== here) {
      this.measure = { model, name, here, made: makeMeasure(model, name, here) };
    }
    return this.measure.made;
  }

  /** Asks each stage for what a scene needs of it. Returns whether that starts anything. */
  want({ model, state, weights, measure }, number) {
    const { line, readings, learned, curves, plane, cells } = this.stages, policies = this.learned;
    const before = Object.values(this.stages).map((stage) => stage.steps);
    const text = JSON.stringify;
    const others = (...names) => text(model.names.map((name, k) => (names.includes(name) ? null : weights[k])));
    const lineFrame = text([number, state.component, state.range, measure.watched]), lineKey = others(state.component);
    const lineView = lineFrame + measure.key;
    line.want(lineFrame, lineKey, () => tracedLine(model, weights, state, measure.watched));
    readings.want(lineView, lineKey + state.tieRule, function* read() {
      return yield* lineReadings(model, weights, state, measure, line.value);
    });
    learned.want(text([number, measure.key]), String(policies.version), () => policies.valuesSteps(model, measure));
    curves.want(lineView, text([lineKey, state.regulariser, state.temperature]),
      () => softCurves(model, weights, state, measure));
    const planeFrame = text([number, state.plane, state.xRange, state.yRange]), planeKey = others(...state.plane);
    plane.want(planeFrame, planeKey, () => tracedPlane(model, weights, state));
    cells.want(planeFrame + measure.key, planeKey + state.tieRule, function* read() {
      return yield* cellReadings(model, state, measure, plane.value);
    });
    return Object.values(this.stages).some((stage, i) => !stage.fresh && stage.steps !== before[i]);
  }

  /** Whether something slow is still being computed. */
  get busy() {
    return Object.values(this.stages).some((stage) => !stage.fresh);
  }

  /** Computes at once what is still missing. */
  finish() {
    finishStages(Object.values(this.stages));
  }
}

/** How many states have several optimal actions, of those to which optimal actions lead. */
function countTied(model, optimalActions) {
  const { S, A, terminal } = model, reached = reachableBy(model, optimalActions);
  let count = 0;
  for (let state = 0; state < S; state++) {
    if (terminal[state] || !reached[state]) continue;
    let optima = 0;
    for (let pair = state * A; pair < (state + 1) * A; pair++) optima += optimalActions[pair];
    if (optima > 1) count++;
  }
  return count;
}
