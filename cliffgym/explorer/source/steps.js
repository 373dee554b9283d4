// Long computations in steps: generators that pause now and then, and return their result at the end.

/** Runs a generator to its end and returns its result. */
export function finish(steps) {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/**
 * Runs generators in slices of a few milliseconds, so that the page stays responsive.
 *
 * Starting a new computation under a name drops the one that runs under it.
 */
export class Slices {
  constructor(milliseconds) {
    this.milliseconds = milliseconds;
    this.running = new Map();
  }

  /**
   * Runs `steps`, at first at once; calls `done(result)`, still within this call if the first slice is enough.
   *
   * @param {string} name What it replaces if that still runs.
   * @param {Generator} steps
   * @param {function(any): void} done
   * @param {function(Error): void} failed
   */
  start(name, steps, done, failed) {
    const ticket = {};
    this.running.set(name, ticket);
    const slice = () => {
      if (this.running.get(name) !== ticket) return;
      const until = performance.now() + this.milliseconds;
      try {
        while (performance.now() < until) {
          const { done: ended, value } = steps.next();
          if (!ended) continue;
          this.running.delete(name);
          done(value);
          return;
        }
      } catch (error) {
        this.running.delete(name);
        failed(error);
        return;
      }
      setTimeout(slice, 0);
    };
    slice();
  }
}
