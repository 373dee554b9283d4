// Messages above the pictures: what was wrong with the address, a value or a file.

import { element } from "./dom.js";
import { button } from "./fields.js";

/** How many messages of a kind there is room for. */
const MOST = 4;

/**
 * @param {HTMLElement} host
 * @returns {{status: function(Array): void, alert: function(string): void}} `status` replaces what it said before, by
 *   texts or objects with a `text` and perhaps an `action` ({label, title, run}); each `alert` stays until dismissed.
 */
export function makeMessages(host) {
  const statuses = element("div", { role: "status" }), alerts = element("div", { role: "alert" });
  host.append(statuses, alerts);
  const message = (text, kind, action = null) => {
    const run = action ? button(action.label, action.run, { title: action.title, "aria-label": action.title }) : "";
    const node = element("div", { class: `message ${kind}` }, element("p", {}, text), run,
      button("\u00d7", () => node.remove(), { class: "quiet", "aria-label": "Dismiss this message" }));
    return node;
  };
  return {
    status(items) {
      if (!items.length && !statuses.childElementCount) return;
      const rest = items.length - MOST, shown = rest > 0 ? [...items.slice(0, MOST), `and ${rest} more`] : items;
      statuses.replaceChildren(...shown.map((item) =>
        (typeof item === "string" ? message(item, "note") : message(item.text, "note", item.action))));
    },
    alert(text) {
      if ([...alerts.children].some((node) => node.firstChild.textContent === text)) return;
      alerts.append(message(text, "wrong"));
      while (alerts.childElementCount > MOST) alerts.firstElementChild.remove();
    },
  };
}
