// Files that are dropped on the page.

import { listed, plural } from "./text.js";

/** Takes files that are dropped anywhere, instead of letting the browser leave the page for them. */
export function acceptDrops(onFiles) {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files") ?? false;
  const mark = (dropping) => document.body.classList.toggle("dropping", dropping);
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    mark(true);
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(false); });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(false);
    onFiles([...event.dataTransfer.files]);
  });
}

/**
 * What to say of policies that were just added.
 *
 * @param {object} learned See `LearnedPolicies`.
 * @param {object[]} added
 * @param {object} model That is shown.
 * @param {function(object): void} change Goes to another scenario or size.
 * @returns {{text: string, action: object|null, alert: boolean}} `action` has a `label`, a `title` and `run`; `alert`
 *   says that the page can show none of them.
 */
export function describeAdded(learned, added, model, change) {
  const here = added.filter((policy) => policy.fingerprint === model.fingerprint);
  const total = `${added[0].file}: ${plural(added.length, "policy", "policies")}`;
  if (here.length === added.length) return { text: `${total}. ${placesText(here)}`, action: null, alert: false };
  const groups = learned.elsewhere(model).filter(({ policies }) => policies.some((policy) => added.includes(policy)));
  const target = groups.find(({ place }) => place);
  if (!here.length && !target) {
    const whys = groups.map(({ title, why }) => `${title}. ${why}`).join(" ");
    return { text: `${total}, none of which the page can show. ${whys}`, action: null, alert: true };
  }
  const belong = here.length ? `${here.length} belong to what is shown` : "None belongs to what is shown";
  const places = here.length ? ` ${placesText(here)}` : "";
  const text = `${total}. ${belong}.${places} Others: ${listed(groups.map(({ title }) => title))}.`;
  const run = () => change(target.place);
  return { text, action: target ? { label: "Show them", title: `Show ${target.title}`, run } : null, alert: false };
}

/** How many of some policies have a place on the axes of pictures, and why others do not. */
function placesText(policies) {
  const placed = policies.filter(({ weights }) => weights).length, others = policies.length - placed;
  const has = `${placed || "None"} ${placed > 1 ? "have" : "has"} a place on the axes of weights`;
  const drawn = placed ? `, drawn as ${placed > 1 ? "diamonds" : "a diamond"} where it is in their ranges` : "";
  const why = others ? `; ${others} ${others > 1 ? "have" : "has"} none, since the weights depend on the state` : "";
  return `${has}${drawn}${why}.`;
}
