// Results that take a while and depend on some of what is chosen: kept until that changes, computed step by step.

import { finish } from "./steps.js";

/** One such result. */
export class Stage {
  constructor() {
    /** The last result, also while the next is computed, unless it belongs to another frame; null if there is none. */
    this.value = null;
    /** Why there is none, or an empty text. */
    this.error = "";
    this.key = null;
    this.frame = null;
    this.steps = null;
  }

  /** Whether `value` is what was last asked for. */
  get fresh() {
    return this.steps === null;
  }

  /**
   * Asks for a result; nothing is computed yet.
   *
   * @param {string} frame What must be the same for an old result to stand in for a while: the model, the axes.
   * @param {string} key What else the result depends on.
   * @param {function(): Generator} make Makes the computation, if it is a new one.
   */
  want(frame, key, make) {
    if (frame === this.frame && key === this.key) return;
    if (frame !== this.frame) this.value = null;
    this.frame = frame;
    this.key = key;
    this.steps = make();
  }

  /** Goes one step on. */
  advance() {
    try {
      const { done, value } = this.steps.next();
      if (!done) return;
      this.value = value;
      this.error = "";
    } catch (error) {
      this.value = null;
      this.error = error.message;
    }
    this.steps = null;
  }
}

/**
 * Computes what is missing, the first stages first, as a generator that pauses after each step.
 *
 * @param {Stage[]} stages
 * @param {function(): void} arrived Called whenever a stage is done.
 */
export function* stagesSteps(stages, arrived) {
  for (;;) {
    const next = stages.find((stage) => !stage.fresh);
    if (!next) return;
    next.advance();
    if (next.fresh) arrived();
    yield;
  }
}

/** Computes what is missing at once. */
export function finishStages(stages) {
  finish(stagesSteps(stages, () => undefined));
}
