// The learned policies that were dropped on the page: matched with its scenarios, and measured by its own solvers.

import { MAX_BYTES, MAX_POLICIES, readPolicies } from "./policy_file.js";
import { listed, parametersText, plural, shorten, valueText } from "./text.js";

export class LearnedPolicies {
  /** @param {object} data Of the page. */
  constructor(data) {
    this.data = data;
    this.policies = [];
    /** The one that is laid over the tree, or null. */
    this.selected = null;
    /** Changes whenever `policies` does. */
    this.version = 0;
    const variants = data.scenarios.flatMap((entry) => entry.variants).reverse(); // of equal ones the first stays
    this.known = new Map(variants.map((variant) => [variant.fingerprint, variant]));
  }

  /**
   * Reads a file and adds its policies.
   *
   * @param {File} file
   * @returns {Promise<object[]>} The new policies.
   * @throws {Error} Names the file, the rule that it breaks, with what, and where.
   */
  async add(file) {
    const name = shorten(file.name, 80);
    if (file.size > MAX_BYTES) {
      throw new Error(`${name} must have at most ${MAX_BYTES / 1e6} MB (${MAX_BYTES} bytes); got ${file.size} bytes`);
    }
    const text = await file.text();
    let added;
    try {
      added = readPolicies(text, this.known).map((policy) => ({ ...policy, file: name }));
    } catch (error) {
      throw new Error(`${name}: ${error.message}`);
    }
    const total = this.policies.length + added.length;
    if (total > MAX_POLICIES) {
      throw new Error(`${name}: the page takes at most ${MAX_POLICIES} policies; with this file it has ${total}`);
    }
    this.replace([...this.policies, ...added]);
    return added;
  }

  /** Leaves out the policies that `goes` says so of. */
  remove(goes) {
    this.replace(this.policies.filter((policy) => !goes(policy)));
  }

  replace(policies) {
    this.policies = policies;
    if (!policies.includes(this.selected)) this.selected = null;
    this.version++;
  }

  /** The policies that were learned on the very tables of a model. */
  of(model) {
    return this.policies.filter((policy) => policy.fingerprint === model.fingerprint);
  }

  /** The selected policy if it was learned on the very tables of a model, or null. */
  selectedOf(model) {
    return this.selected?.fingerprint === model.fingerprint ? this.selected : null;
  }

  /** The values of a measure by policy, for all that belong to a model, in steps. */
  * valuesSteps(model, measure) {
    const values = new Map();
    for (const policy of this.of(model)) {
      values.set(policy, measure.of(policy.table));
      yield;
    }
    return values;
  }

  /** The policies of other models in groups of what they were learned on: `policies`, `title` and `place` to go to. */
  elsewhere(model) {
    const groups = new Map();
    for (const policy of this.policies) {
      if (policy.fingerprint === model.fingerprint) continue;
      const key = JSON.stringify([policy.id, policy.parameters, policy.fingerprint]);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(policy);
    }
    return [...groups.values()].map((policies) => this.described(policies));
  }

  described(policies) {
    const { id, parameters, variant } = policies[0];
    const title = (name, sizes) => `${plural(policies.length, "policy", "policies")} of ${shorten(name, 60)}`
      + `${sizes ? ` with ${shorten(sizes, 200)}` : ""}`;
    if (!variant) {
      return { policies, title: title(id, parametersText(parameters)), place: null, why: this.whyUnknown(policies[0]) };
    }
    const entry = this.data.scenarios.find((each) => each.variants.includes(variant));
    const chosen = Object.fromEntries(entry.sizes.map(({ name }) => [name, variant.parameters[name]]));
    const place = { id: entry.id, parameters: chosen };
    return { policies, title: title(entry.id, parametersText(chosen)), place, why: "" };
  }

  /** Why a policy has no place on this page. */
  whyUnknown({ id, parameters }) {
    const entry = this.data.scenarios.find((each) => each.id === id);
    if (!entry) return `This page has ${listed(this.data.scenarios.map((each) => each.id))}.`;
    const text = (arguments_) => parametersText(Object.fromEntries(Object.entries(arguments_).sort()));
    const same = ({ parameters: other }) => text(other) === text(parameters);
    if (entry.variants.some(same)) return "This page has the same arguments with other tables, of another version.";
    const sizes = entry.sizes.map(({ name, values }) => `${name} = ${values.map(valueText).join(" or ")}`);
    return sizes.length ? `This page has it with ${listed(sizes)}.` : "This page has it in another size.";
  }
}
