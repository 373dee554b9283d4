// What belongs to the page as a whole: light or dark, a link to what is shown, and back to the start.

import { element } from "./dom.js";
import { button, freshId } from "./fields.js";

const THEMES = ["auto", "light", "dark"], KEPT_THEME = "cliffgym-theme";
const MESSAGE_TIME = 2500;

/**
 * @param {HTMLElement} host
 * @param {{link: function(): string, onReset: function(): void, onTheme: function(): void}} callbacks `link` makes the
 *   address of what is shown.
 */
export function makeTools(host, { link, onReset, onTheme }) {
  const field = element("input", {
    class: "link", readonly: true, hidden: true, "aria-label": "Link to what is shown",
  });
  const copy = button("Copy link", async () => {
    const text = link();
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy link"; }, MESSAGE_TIME);
    } catch { // no clipboard, as on a page from disk or in a frame
      field.value = text;
      field.hidden = false;
      field.focus();
      field.select();
    }
  });
  field.addEventListener("blur", () => { field.hidden = true; });
  host.append(themeSwitch(onTheme), button("Reset view", onReset), copy, field);
}

function themeSwitch(onTheme) {
  const name = freshId(), kept = keptTheme();
  const choose = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    onTheme();
  };
  const choices = THEMES.map((theme) => {
    const input = element("input", {
      type: "radio", name, value: theme, checked: theme === kept,
      onchange: () => {
        keepTheme(theme);
        choose(theme);
      },
    });
    return element("label", { class: "choice" }, input, theme);
  });
  if (kept !== "auto") document.documentElement.dataset.theme = kept;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onTheme);
  const legend = element("legend", { class: "unseen" }, "Colours");
  return element("fieldset", { class: "choices" }, legend, ...choices);
}

/** The theme that was last chosen in this browser; frames may not be allowed to know. */
function keptTheme() {
  try {
    const theme = localStorage.getItem(KEPT_THEME);
    return THEMES.includes(theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

function keepTheme(theme) {
  try {
    localStorage.setItem(KEPT_THEME, theme);
  } catch {
    // It holds until the page is closed.
  }
}
