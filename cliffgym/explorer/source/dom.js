// Elements of the page, made without any HTML text: nothing that comes from data or files is ever parsed.

/**
 * Makes an element.
 *
 * @param {string} name Its tag.
 * @param {object} attributes By name; those that start with "on" are listeners. `true` is an empty attribute; `null`,
 *   `undefined` and `false` leave it out.
 * @param {...(Node|string)} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else setAttribute(made, key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Sets or removes an attribute, but only where that changes anything. */
export function setAttribute(target, name, value) {
  if (value === null || value === undefined || value === false) target.removeAttribute(name);
  else if (target.getAttribute(name) !== String(value)) target.setAttribute(name, value);
}

/** Sets a text, but only where that changes anything. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** A function that runs `task` once in the next frame, however often it is called before. */
export function oncePerFrame(task) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      task();
    });
  };
}

/** A function that runs `task` with its latest arguments, `milliseconds` after they have stopped coming. */
export function whenCalm(task, milliseconds) {
  let timer = 0;
  return (...latest) => {
    clearTimeout(timer);
    timer = setTimeout(() => task(...latest), milliseconds);
  };
}
