// The panel of learned policies: files are chosen or dropped, policies listed, selected and removed.

import { element, setAttribute } from "./dom.js";
import { button } from "./fields.js";
import { parametersText, plural, shorten } from "./text.js";

/**
 * @param {HTMLElement} host
 * @param {object} learned See `LearnedPolicies`.
 * @param {{onFiles: function(File[]): void, onChange: function(): void, change: function(object): void}} callbacks
 *   `onChange` is told when policies are selected or removed.
 */
export function makeLearnedPanel(host, learned, { onFiles, onChange, change }) {
  const input = element("input", {
    id: "files", type: "file", accept: ".json,application/json", multiple: true,
    onchange: () => {
      onFiles([...input.files]);
      input.value = "";
    },
  });
  const hint = element("p", { class: "summary" },
    "Drop the ", element("code", {}, "policy.json"), " of a training, or what a sweep has exported, anywhere on the page. ",
    "Nothing of it leaves the page.");
  const list = element("div", {});
  host.append(element("label", { for: "files", class: "unseen" }, "Files of learned policies"), input, hint, list);
  const remove = (goes) => {
    learned.remove(goes);
    onChange();
    input.focus();
  };
  let drawn = null;
  return {
    update({ model }) {
      const now = [learned.version, model, learned.selected];
      if (drawn && now.every((part, i) => part === drawn[i])) return;
      if (drawn && drawn[0] === now[0] && drawn[1] === now[1]) markSelected(list, learned);
      else list.replaceChildren(...listOf(model, learned, { remove, onChange, change }));
      drawn = now;
    },
  };
}

function listOf(model, learned, { remove, onChange, change }) {
  if (!learned.policies.length) return [];
  const here = learned.of(model), parts = [];
  if (here.length) {
    const items = here.map((policy) => item(policy, learned, remove, onChange));
    parts.push(element("ul", { class: "policies", "aria-label": "Policies of what is shown" }, ...items));
  }
  for (const { policies, title, place, why } of learned.elsewhere(model)) {
    const go = place ? button("Show", () => change(place), { "aria-label": `Show ${title}` }) : "";
    const goes = (policy) => policies.includes(policy);
    const drop = button("Remove", () => remove(goes), { "aria-label": `Remove ${title}` });
    const row = element("div", { class: "row" }, go, drop);
    parts.push(element("div", { class: "elsewhere" }, element("p", {}, `${title}. ${why}`), row));
  }
  if (learned.policies.length > 1) {
    parts.push(button(`Remove all ${learned.policies.length}`, () => remove(() => true), { class: "quiet" }));
  }
  return parts;
}

function item(policy, learned, remove, onChange) {
  const name = shorten(policy.label.trim() || "without a label", 200);
  const about = [
    name, policy.reward ? `reward ${shorten(policy.reward, 100)}` : "weights of its own",
    policy.weights ? parametersText(policy.weights) : "weights depend on the state, so it has no place on the axes",
    shorten(parametersText(policy.settings), 300), `from ${policy.file}`,
  ].filter(Boolean).join("\n");
  const select = button(element("span", {}, name), () => {
    learned.selected = learned.selected === policy ? null : policy;
    onChange();
  }, { class: "policy", title: about, "aria-pressed": String(learned.selected === policy) });
  select.policy = policy;
  const drop = button("\u00d7", () => remove((other) => other === policy), {
    class: "quiet", "aria-label": `Remove ${name}`,
  });
  return element("li", {}, select, policy.weights ? "" : element("span", { class: "badge" }, "no axis"), drop);
}

function markSelected(list, learned) {
  for (const node of list.querySelectorAll(".policy")) {
    setAttribute(node, "aria-pressed", String(node.policy === learned.selected));
  }
}
