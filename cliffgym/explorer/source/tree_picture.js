// What the policy does after a prompt, token by token: a tree from left to right with probabilities, ties and returns.

import { setAttributes, svgElement } from "./svg.js";
import { SMALL_TEXT, TEXT_SIZE, textElement, textWidth } from "./fitting.js";
import { drawnToFit } from "./moving.js";
import { drawNode, nodeSignature, nodeText } from "./tree_drawing.js";
import { layTree } from "./tree_layout.js";
import { drawTreeKey } from "./tree_key.js";
import { RETURN_COLUMNS, rootText } from "./tree_nodes.js";
import { Openings } from "./tree_openings.js";

const TREE_LABEL = "Tree of what the policy may do";
const UNDETERMINED = "Training never comes here: it leaves open what is done.";
const NOT_SCROLLED = { tabindex: null, role: null, "aria-label": null };

/**
 * Makes the picture of a tree. A state is selected by a click on its edge or by Enter, opened or closed by a click on
 * its circle or by the space bar; arrows lead to what is before, after, above and below it.
 *
 * Its properties: `model`, `root` (a state), `policy` (S, A), `optimalActions` (S, A), `selected` (a state or null),
 * `overlay` (a learned policy (S, A) or null), `components` (rewards (S, A) that are `paid`, `incomplete` and `true`),
 * and `undetermined`, whether training never visits the root.
 *
 * @param {HTMLElement} host
 * @param {{onSelect: function(number): void}} callbacks `onSelect` takes a state.
 * @returns {{update: function(object): void}}
 */
export function makeTreePicture(host, { onSelect }) {
  const head = svgElement("g", { "aria-hidden": "true" }), key = svgElement("g", { "aria-hidden": "true" });
  const tree = svgElement("g", { role: "tree", "aria-label": TREE_LABEL });
  const label = { role: "group", "aria-label": TREE_LABEL };
  const svg = svgElement("svg", { class: "picture tree-picture", ...label }, head, tree, key);
  const scroller = document.createElement("div");
  scroller.className = "tree-scroller";
  scroller.append(svg);
  host.append(scroller);
  const openings = new Openings(), items = new TreeItems(tree);
  let shown = null;
  const picture = drawnToFit(host, (props, width) => {
    const layout = layTree(openings.grow(props, tree.contains(document.activeElement)), props, width);
    shown = props;
    items.show(layout, props.selected);
    head.replaceChildren(...drawHead(props, layout));
    const keyHeight = drawTreeKey(key, props, layout, width), height = Math.ceil(layout.height + keyHeight);
    setAttributes(svg, { viewBox: `0 0 ${layout.width} ${height}`, width: layout.width, height });
    setAttributes(scroller, layout.width > width ? { tabindex: 0, ...label } : NOT_SCROLLED);
  });
  const toggle = (node) => {
    openings.want(node, node.children === null);
    picture.update(shown);
  };
  const choose = (node) => {
    if (node.children === null) toggle(node);
    onSelect(node.state);
  };
  tree.addEventListener("click", ({ target }) => {
    const node = items.nodeOf(target);
    if (!node) return;
    items.focus(node.key);
    if (node.kind !== "state") return;
    if (target.closest(".opener")) toggle(node);
    else choose(node);
  });
  tree.addEventListener("keydown", (event) => {
    const node = items.nodeOf(event.target);
    if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = items.neighbour(node, event.key);
    if (event.key === "Enter" && node.kind === "state") choose(node);
    else if (node.kind === "state" && isToggle(event.key, node)) toggle(node);
    else if (next) items.focus(next.key);
    else return;
    event.preventDefault();
  });
  return picture;
}

/** Whether a key opens or closes a node. */
function isToggle(key, { children }) {
  return key === " " || (key === "ArrowRight" && children === null);
}

/** The elements of the nodes; those that stay are kept, so that the focus stays where it is. */
class TreeItems {
  constructor(tree) {
    this.tree = tree;
    this.items = new Map();
    this.nodes = [];
    this.current = "root";
  }

  show(layout, selected) {
    this.nodes = layout.nodes;
    const keys = new Set(this.nodes.map(({ key }) => key));
    for (const [key, { element }] of this.items) {
      if (keys.has(key)) continue;
      element.remove();
      this.items.delete(key);
    }
    if (!keys.has(this.current)) this.current = "root";
    let place = this.tree.firstChild;
    for (const node of this.nodes) {
      const item = this.itemOf(node.key), isSelected = node.kind === "state" && node.state === selected;
      if (item.element === place) place = place.nextSibling;
      else this.tree.insertBefore(item.element, place);
      const signature = nodeSignature(node, isSelected, layout);
      if (signature !== item.signature) {
        item.signature = signature;
        describeItem(item.element, node, isSelected);
        item.element.replaceChildren(...drawNode(node, isSelected, layout));
      }
      item.node = node;
      setAttributes(item.element, { tabindex: node.key === this.current ? 0 : -1 });
    }
  }

  itemOf(key) {
    if (!this.items.has(key)) {
      const element = svgElement("g", { role: "treeitem", class: "tree-item", "data-key": key });
      this.items.set(key, { element, node: null, signature: "" });
    }
    return this.items.get(key);
  }

  /** The node to which something in the picture belongs. */
  nodeOf(target) {
    return this.items.get(target.closest("[data-key]")?.dataset.key)?.node;
  }

  focus(key) {
    setAttributes(this.items.get(this.current).element, { tabindex: -1 });
    this.current = key;
    const { element } = this.items.get(key);
    setAttributes(element, { tabindex: 0 });
    element.focus();
  }

  /** The node to which a key leads: left to the parent, right to what follows, up and down within the level. */
  neighbour(node, key) {
    const level = this.nodes.filter((other) => other.level === node.level), place = level.indexOf(node);
    switch (key) {
      case "ArrowLeft": return node.parent;
      case "ArrowRight": return node.children?.[0];
      case "ArrowUp": return level[place - 1];
      case "ArrowDown": return level[place + 1];
      case "Home": return this.nodes[0];
      case "End": return this.nodes.at(-1);
      default: return undefined;
    }
  }
}

function describeItem(element, node, isSelected) {
  const siblings = node.parent?.children ?? [node];
  setAttributes(element, {
    "aria-label": nodeText(node),
    "aria-level": node.level + 1,
    "aria-setsize": siblings.length,
    "aria-posinset": siblings.indexOf(node) + 1,
    "aria-expanded": node.kind === "end" || node.kind === "illegal" ? null : String(node.children !== null),
    "aria-selected": node.kind === "state" ? String(isSelected) : null,
  });
}

/** The prompt, and the names of the columns of returns. */
function drawHead({ model, root, undetermined }, { width, columns, nodes }) {
  const fit = { room: width - 4, size: TEXT_SIZE + 1, weight: 600 };
  const parts = [textElement(rootText(model, root), { class: "tree-prompt", x: 2, y: 15 }, fit)];
  const note = { class: "tree-note", x: 2, y: 34 };
  if (undetermined) parts.push(textElement(UNDETERMINED, note, { room: (columns?.[0] ?? width) - 90 }));
  if (!columns || !nodes.some(({ kind }) => kind === "end")) return parts;
  const first = columns[0] - textWidth(RETURN_COLUMNS[0], SMALL_TEXT) - 8;
  return [
    ...parts,
    textElement("return:", { class: "column-name", x: first, y: 40, "text-anchor": "end" }, { size: SMALL_TEXT }),
    ...RETURN_COLUMNS.map((name, i) =>
      textElement(name, { class: "column-name", x: columns[i], y: 40, "text-anchor": "end" }, { size: SMALL_TEXT })),
  ];
}
